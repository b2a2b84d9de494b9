//! What decides for one tenant, as one immutable value: bindings in the order in which they are asked, with their
//! versions and settings, and limits. It is swapped whole; a call takes it once, at its start.

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_lifecycle::question::{Hook, StreamKey};

use super::binding::{covers, precedence};
use crate::store::bindings::Bound;
use crate::store::limits::{PolicyLimits, TenantLimits};

/// One tenant's policies.
#[derive(Debug, Default)]
pub struct TenantPolicies {
    /// In the order in which they are asked.
    bound: Vec<Arc<Bound>>,
    limits: PolicyLimits,
    plugin_limits: BTreeMap<String, PolicyLimits>,
}

impl TenantPolicies {
    pub(super) fn new(mut bound: Vec<Bound>, (limits, plugins): TenantLimits) -> Self {
        bound.sort_by(|a, b| precedence(&a.binding, &b.binding));
        for bound in &mut bound {
            // The binding's own settings are asked with, and they were checked already: of what came with the version
            // these would only take room, for thousands of tenants.
            bound.version.settings = String::new();
            bound.version.schema = None;
        }
        Self { bound: bound.into_iter().map(Arc::new).collect(), limits, plugin_limits: plugins.into_iter().collect() }
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.bound.is_empty() && self.plugin_limits.is_empty() && self.limits == PolicyLimits::default()
    }

    /// Who is asked at a hook about a stream, in this order.
    pub fn covering<'a>(
        &'a self,
        hook: Hook,
        stream: Option<&'a StreamKey>,
    ) -> impl Iterator<Item = &'a Arc<Bound>> + 'a {
        self.bound.iter().filter(move |bound| covers(bound, hook, stream))
    }

    /// All bindings, in the order in which they are asked.
    pub fn bindings(&self) -> &[Arc<Bound>] {
        &self.bound
    }

    /// What is set for the tenant, and for one of its plugins.
    pub(super) fn limits(&self, plugin: &str) -> (&PolicyLimits, Option<&PolicyLimits>) {
        (&self.limits, self.plugin_limits.get(plugin))
    }
}
