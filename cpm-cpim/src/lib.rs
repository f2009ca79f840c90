//! Message bodies of CPM: CPIM, IMDN and their relatives, as pure functions.
