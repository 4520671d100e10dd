//! Hellos, out and in: how adjacencies come and go.
//!
//! A change of state is answered with a hello at once, so that two routers find each other in one
//! exchange instead of one interval. When an adjacency comes up the neighbour is sent our database
//! in short and in full, after the hello that tells it that the adjacency is up.
//!
//! Standards: ISO 10589 §8.2.3 to §8.2.5 (level 2), RFC 1195 §3.3, RFC 5303 §3.2, RFC 5882 §4.
//! Not implemented: refusing neighbours that carry only one of two protocols.

use base::{Duration, Instant, PortId};

use crate::adjacency::{Action, Adjacency, is_for_us, transition};
use crate::authentication;
use crate::circuit::{ActiveCircuit, BFD_HOLD_BACK, Bfd, CSNP_INTERVAL};
use crate::codepoints as cp;
use crate::config::Config;
use crate::error::{NotUpReason, RejectReason};
use crate::hello::Hello;
use crate::instance::{Instance, Output};
use crate::tlv::{AdjacencyState, ThreeWay, Tlv};

/// ISO 10589 §10.1: hellos are early by up to a quarter of their interval.
const HELLO_JITTER_PERCENT: u32 = 25;

impl ActiveCircuit {
    /// Notes what BFD says and returns whether that is a change.
    pub(crate) fn set_bfd(&mut self, now: Instant, up: bool) -> bool {
        let next = match (self.bfd, up) {
            (Bfd::Up, false) => Bfd::Down { hold_back_until: now + BFD_HOLD_BACK },
            (Bfd::NeverUp | Bfd::Down { .. }, true) => Bfd::Up,
            (Bfd::Up, true) | (Bfd::NeverUp | Bfd::Down { .. }, false) => return false,
        };
        self.bfd = next;
        true
    }

    /// The protocols of this circuit: those that it has an address for.
    fn protocols(&self) -> Vec<u8> {
        let mut protocols = Vec::with_capacity(2);
        protocols.extend(self.config.v4.map(|_| cp::NLPID_IPV4));
        protocols.extend(self.config.v6_link_local.map(|_| cp::NLPID_IPV6));
        protocols
    }

    fn hello(&self, config: &Config) -> Hello {
        let mut tlvs = Vec::with_capacity(6);
        tlvs.extend(config.authentication.as_ref().map(authentication::placeholder));
        tlvs.push(Tlv::ThreeWay(ThreeWay {
            state: self.state(),
            circuit: Some(self.id()),
            neighbour: self.adjacency.as_ref().map(|adjacency| adjacency.neighbour),
            neighbour_circuit: self.adjacency.as_ref().and_then(|adjacency| adjacency.circuit),
        }));
        tlvs.push(Tlv::Protocols(self.protocols()));
        tlvs.push(Tlv::AreaAddresses(vec![config.area.clone()]));
        tlvs.extend(self.config.v4.map(|addr| Tlv::Ipv4Addresses(vec![addr])));
        tlvs.extend(self.config.v6_link_local.map(|addr| Tlv::Ipv6Addresses(vec![addr])));
        let [.., circuit_id] = self.id().to_be_bytes();
        Hello {
            circuit_type: cp::CIRCUIT_TYPE_L2,
            source: config.system_id,
            holding_time: self.holding_time(),
            circuit_id,
            tlvs,
        }
    }

    /// Whether a hello may make or keep an adjacency.
    fn judge(
        &self,
        now: Instant,
        config: &Config,
        hello: &Hello,
    ) -> Result<ThreeWay, RejectReason> {
        if hello.source == config.system_id {
            return Err(RejectReason::OwnSystemId);
        }
        if hello.circuit_type & cp::CIRCUIT_TYPE_L2 == 0 {
            return Err(RejectReason::WrongLevel);
        }
        if hello.holding_time == 0 {
            return Err(RejectReason::HoldingTimeZero);
        }
        if !hello.shares_protocol(&self.protocols()) {
            return Err(RejectReason::NoCommonProtocol);
        }
        let three_way = hello.three_way().ok_or(RejectReason::ThreeWayMissing)?;
        is_for_us(&three_way, config.system_id, self.id())?;
        match self.bfd {
            Bfd::Down { hold_back_until } if now < hold_back_until => Err(RejectReason::BfdDown),
            Bfd::Down { .. } | Bfd::Up | Bfd::NeverUp => Ok(three_way),
        }
    }
}

impl Instance {
    pub(crate) fn handle_hello(
        &mut self,
        now: Instant,
        port: PortId,
        hello: &Hello,
    ) -> Result<(), RejectReason> {
        let circuit = self.circuits.get_mut(&port).ok_or(RejectReason::UnknownCircuit)?;
        let three_way = match circuit.judge(now, &self.config, hello) {
            Ok(three_way) => three_way,
            Err(reason) => {
                circuit.refuse_hello(reason);
                return Err(reason);
            }
        };
        // ISO 10589 §8.2.5: another router at the far end ends the adjacency with the first.
        if circuit.adjacency.as_ref().is_some_and(|known| known.neighbour != hello.source) {
            self.lose_adjacency(now, port, NotUpReason::NeighbourChanged);
        }
        let Some(circuit) = self.circuits.get_mut(&port) else { return Ok(()) };
        let before = circuit.state();
        let action = transition(before, three_way.state);
        let up = match action {
            Action::Initialize => false,
            Action::Up => true,
            Action::Accept => before == AdjacencyState::Up,
            Action::Down => {
                // Our answer tells the neighbour to begin anew.
                circuit.not_up = NotUpReason::OneWay;
                self.send_hello(now, port);
                return Ok(());
            }
        };
        if before == AdjacencyState::Up && !up {
            self.lose_adjacency(now, port, NotUpReason::NeighbourRestarted);
        }
        let Some(circuit) = self.circuits.get_mut(&port) else { return Ok(()) };
        let heard = Adjacency {
            neighbour: hello.source,
            up,
            circuit: three_way.circuit,
            v4: hello.ipv4(),
            v6: hello.ipv6(),
            holds_until: now + Duration::from_secs(u64::from(hello.holding_time)),
        };
        let moved = circuit
            .adjacency
            .as_ref()
            .is_some_and(|known| (known.v4, known.v6) != (heard.v4, heard.v6));
        circuit.adjacency = Some(heard);
        let after = circuit.state();
        if after != before {
            circuit.since = now;
            circuit.not_up = NotUpReason::OneWay;
            self.send_hello(now, port);
            if after == AdjacencyState::Up {
                self.gain_adjacency(now, port);
            }
        } else if moved && after == AdjacencyState::Up {
            self.request_generation(now);
            self.request_spf(now);
        }
        Ok(())
    }

    /// The adjacency of a circuit has come up.
    fn gain_adjacency(&mut self, now: Instant, port: PortId) {
        let Some(circuit) = self.circuits.get_mut(&port) else { return };
        let Some(neighbour) = circuit.adjacency.as_ref().map(|adjacency| adjacency.neighbour)
        else {
            return;
        };
        let csnp_in = self.rng.jitter(CSNP_INTERVAL, HELLO_JITTER_PERCENT);
        circuit.csnp_at = Some(now + csnp_in);
        self.outputs.push_back(Output::Adjacency { port, neighbour, up: true, reason: None });
        self.send_csnps(now, port);
        self.send_database(now, port);
        self.request_generation(now);
        self.request_spf(now);
    }

    /// Ends the adjacency of a circuit, where there is one.
    pub(crate) fn lose_adjacency(&mut self, now: Instant, port: PortId, reason: NotUpReason) {
        let Some(circuit) = self.circuits.get_mut(&port) else { return };
        let Some(adjacency) = circuit.adjacency.take() else { return };
        circuit.since = now;
        circuit.not_up = reason;
        circuit.forget();
        if adjacency.up {
            let neighbour = adjacency.neighbour;
            let reason = Some(reason);
            self.outputs.push_back(Output::Adjacency { port, neighbour, up: false, reason });
            self.request_generation(now);
            self.request_spf(now);
        }
    }

    pub(crate) fn expire_adjacency(&mut self, now: Instant, port: PortId) {
        let Some(circuit) = self.circuits.get(&port) else { return };
        if circuit.adjacency.as_ref().is_some_and(|adjacency| adjacency.holds_until <= now) {
            self.lose_adjacency(now, port, NotUpReason::HoldingTimeExpired);
            // The neighbour may still hear us and should know that we do not hear it.
            self.send_hello(now, port);
        }
    }

    pub(crate) fn send_hello(&mut self, now: Instant, port: PortId) {
        let Some(circuit) = self.circuits.get_mut(&port).filter(|circuit| circuit.port_up) else {
            return;
        };
        let interval = circuit.hello_interval();
        circuit.hello_at = Some(now + self.rng.jitter(interval, HELLO_JITTER_PERCENT));
        let len = (!circuit.is_up()).then(|| circuit.pdu_len_max());
        let mut bytes = circuit.hello(&self.config).encode(len);
        if let Some(authentication) = &self.config.authentication {
            authentication::sign(&mut bytes, authentication);
        }
        self.counters.sent.hellos += 1;
        self.outputs.push_back(Output::Pdu { port, bytes });
    }
}
