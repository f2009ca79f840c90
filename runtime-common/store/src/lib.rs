//! Durable storage engines behind the Store effect of cpm-proto.
