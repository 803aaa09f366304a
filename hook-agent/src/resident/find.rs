//! Who this pod is, which group it is in and how the API server is reached, for a resident: what a pre hook finds out too, without its deadline.

use crate::access::{self, AccessError};
use crate::client::{Client, ClientError};
use crate::clock::Clock;
use crate::group::{self, AskFailure, GroupFailure, Known};
use crate::identity::{IdentityFailure, Sources};
use crate::leases::Leases;
use crate::resident::registration::Registration;
use crate::settings::ResidentSettings;

/// How long the own Pod is asked for, ms.
const ASK_MS: u64 = 10_000;

/// Why a resident cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The pod has no group.
    #[error("the pod is in no group")]
    NoGroup,
    /// It cannot be told which pod this is.
    #[error(transparent)]
    Identity(#[from] IdentityFailure),
    /// It cannot be told which group the pod is in.
    #[error(transparent)]
    Group(#[from] GroupFailure),
    /// The API server does not say.
    #[error(transparent)]
    Ask(#[from] AskFailure),
    /// There is no way to the API server.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// What is configured cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Finds it out.
pub async fn find(settings: &ResidentSettings) -> Result<Registration, FindError> {
    let known = group::from_here(&settings.names)?;
    if known == Known::NoGroup {
        return Err(FindError::NoGroup);
    }
    let mut sources = Sources::new(&settings.names, settings.access.token_file.clone());
    let (who, uid) = (sources.who()?, sources.uid()?);
    let leases = Leases::new(Client::new(access::find(&settings.access)?)?, who.namespace.clone());
    let group = match known {
        Known::In(group) => group,
        Known::NoGroup | Known::Unknown => {
            let of_pod = group::from_pod(&leases, &who, Some(&uid), &settings.names, &Clock::start(), ASK_MS).await?;
            of_pod.group.ok_or(FindError::NoGroup)?
        }
    };
    let illegal = |source| IdentityFailure::Illegal { origin: "the pod's name".to_owned(), source };
    Ok(Registration::new(leases, who, uid, group).map_err(illegal)?)
}
