//! What touches the operating system but no runtime: UDP batches, the engine thread, probes to tracing.
