//! SIP as pure state machines: messages, transactions, registration and digest authentication, without any IO.
