//! The contract between hook-agent and coordinator.
