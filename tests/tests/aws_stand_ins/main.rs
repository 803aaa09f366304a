//! The AWS stand-ins, asked by an outside client: do they answer as the services' references say?

mod client;
mod ec2;
mod s3;
