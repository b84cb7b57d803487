//! `DataPlan`: what a session knows of its next data connection: nothing, a port where we listen, or an address where we
//! connect to. Taken once, spent once. Ports and addresses are judged in `ports` and `address`.

use std::net::SocketAddr;

/// Where the next data connection comes from. `L` is whatever stands for the leased port or the open connection, so that
/// it can be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataPlan<L> {
    /// Nothing was asked for, or it is spent. RFC 959's default, the client's own control port, is not tried: no client
    /// of today listens there.
    #[default]
    None,
    /// We listen (PASV, EPSV).
    Passive(L),
    /// We connect there (PORT, EPRT); already judged.
    Active(SocketAddr),
    /// The connection is open: the transfer before has left it so (MODE B, RFC 959 §3.2). It is not spent by a transfer
    /// that ends in order.
    Open(L),
}

/// The command that makes a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// PORT.
    Port,
    /// EPRT.
    Eprt,
    /// PASV.
    Pasv,
    /// EPSV.
    Epsv,
}

/// The place of a session's one plan, and whether EPSV ALL holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSlot<L> {
    plan: DataPlan<L>,
    epsv_all: bool,
}

impl<L> PlanSlot<L> {
    /// No plan yet, every way open.
    #[must_use]
    pub fn new() -> Self {
        PlanSlot { plan: DataPlan::None, epsv_all: false }
    }

    /// EPSV ALL was said: from now on to the end of the session only EPSV is obeyed (RFC 2428 §4).
    pub fn only_epsv(&mut self) {
        self.epsv_all = true;
    }

    /// Whether this command may make a plan: not when EPSV ALL holds, save EPSV itself.
    #[must_use]
    pub fn allows(&self, way: Way) -> bool {
        !self.epsv_all || way == Way::Epsv
    }

    /// Puts a plan in place of the one before, whose lease, if it has one, the caller gives back.
    #[must_use = "a lease that is not given back is a port lost"]
    pub fn set(&mut self, plan: DataPlan<L>) -> Option<L> {
        std::mem::replace(&mut self.plan, plan).into_lease()
    }

    /// Takes the plan for a transfer; what is left is none.
    #[must_use = "a lease that is not given back is a port lost"]
    pub fn take(&mut self) -> DataPlan<L> {
        std::mem::take(&mut self.plan)
    }

    /// The plan as it stands.
    #[must_use]
    pub fn plan(&self) -> &DataPlan<L> {
        &self.plan
    }
}

impl<L> Default for PlanSlot<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L> DataPlan<L> {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, DataPlan::None)
    }

    /// The lease of a passive plan, or of a connection that is open.
    #[must_use]
    pub fn into_lease(self) -> Option<L> {
        match self {
            DataPlan::Passive(lease) | DataPlan::Open(lease) => Some(lease),
            DataPlan::None | DataPlan::Active(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_taken_once() {
        let mut slot = PlanSlot::new();
        assert_eq!(slot.set(DataPlan::Passive(7)), None);
        assert_eq!(slot.take(), DataPlan::Passive(7));
        assert_eq!(slot.take(), DataPlan::None);
    }

    #[test]
    fn a_new_plan_gives_the_old_lease_back() {
        let mut slot = PlanSlot::new();
        assert_eq!(slot.set(DataPlan::Passive(7)), None);
        assert_eq!(slot.set(DataPlan::Active("203.0.113.9:4001".parse().unwrap())), Some(7));
        assert_eq!(slot.set(DataPlan::None), None);
        assert!(slot.plan().is_none());
    }

    #[test]
    fn after_epsv_all_only_epsv_is_obeyed() {
        let mut slot = PlanSlot::<u16>::new();
        assert!([Way::Port, Way::Eprt, Way::Pasv, Way::Epsv].into_iter().all(|way| slot.allows(way)));
        slot.only_epsv();
        assert!([Way::Port, Way::Eprt, Way::Pasv].into_iter().all(|way| !slot.allows(way)));
        assert!(slot.allows(Way::Epsv));
    }
}
