//! Whose turn it is. Each connector has a lane; lanes take turns, and those that go to the same
//! receiver share the few connections it may have.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::budget::Purse;
use super::{AT_ONCE, Backlog, Means, Name};
use crate::app::deliver::CRON_MS;
use crate::app::leases::{Claimed, Connector, Due, Leases, Receiver};
use crate::app::ports::Unavailable;
use crate::app::steps::Budget;
use crate::domain::connector::Mode;
use crate::domain::connector::address::receiver;
use crate::domain::connector::webhook::Webhook;
use crate::domain::delivery::circuit::Trouble;
use crate::domain::time::Timestamp;

/// Connections to one receiver, once it has answered within the run; until then, and while it is
/// in trouble, one, so that one that hangs holds up one connection only.
const PER_RECEIVER: usize = 2;

/// Receivers that have not answered in this run leave one of the requests to those that have, as long
/// as these have anything left.
const UNPROVEN: usize = AT_ONCE - 1;

/// Receivers in trouble have no more of all requests than this, so that those that were found hanging
/// leave most of a run to others.
const IN_TROUBLE: usize = 2;

/// Connectors with something waiting that one look goes through, and looks of a run.
const LOOKED_AT: usize = 300;
const LOOKS: usize = 4;

/// What is sent for one connector.
pub(super) struct Lane {
    pub(super) name: Name,
    pub(super) connector: Connector,
    /// The webhook, or why there is none that could be sent.
    pub(super) webhook: Result<Rc<Webhook>, String>,
    receiver: usize,
    backlog: Backlog,
    /// Nothing more of it is due, or is to be claimed.
    is_drained: bool,
    /// The last claim gave it several and no fewer than it asked for: there is more, as like as not.
    is_plentiful: bool,
}

/// How a receiver is.
struct State {
    receiver: Receiver,
    trouble: Option<Trouble>,
    running: usize,
    has_answered: bool,
    /// It is a custom domain of Backtrail's.
    is_own: bool,
}

/// For whom, besides receivers that have answered, there is room among the requests.
#[derive(Clone, Copy)]
struct Room {
    is_for_troubled: bool,
    is_for_unproven: bool,
}

impl State {
    fn is_paused(&self, now: Timestamp) -> bool {
        self.trouble.is_some_and(|trouble| trouble.is_paused(now))
    }

    fn is_free(&self, now: Timestamp) -> bool {
        match self.trouble {
            Some(trouble) if trouble.is_paused(now) => false,
            Some(_) => self.running == 0,
            None => self.running < if self.has_answered { PER_RECEIVER } else { 1 },
        }
    }
}

/// All connectors that have something due.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    receivers: Vec<State>,
    turn: usize,
}

/// Connectors to claim for.
#[derive(Default)]
pub(super) struct Wanted {
    /// As much as is their share.
    plenty: Vec<Name>,
    /// One delivery each, which finds out whether the receiver is back.
    probes: Vec<Name>,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.plenty.is_empty() && self.probes.is_empty()
    }

    /// How much of whom.
    pub(super) fn groups(self, together: usize, most_each: usize) -> Vec<(usize, Vec<Name>)> {
        let share = (together / self.plenty.len().max(1)).clamp(1, most_each);
        let groups = [(share, self.plenty), (1, self.probes)];
        groups.into_iter().filter(|(_, names)| !names.is_empty()).collect()
    }
}

/// Looks which connectors have something due; goes on where the last look ended. Says also
/// whether there may be others that it did not get to.
pub(super) async fn look(
    ports: &(impl Leases + Budget),
    purse: &Purse,
    means: &Means<'_>,
    now: Timestamp,
) -> Result<(Lanes, bool), Unavailable> {
    let start = means.place.borrow().clone();
    let mut place = start.clone();
    let mut has_turned = start.0.is_empty();
    let mut found: Vec<Due> = Vec::new();
    let mut is_more = true;
    for _ in 0..LOOKS {
        let mut look = ports.look(&place, now, LOOKED_AT).await?;
        if has_turned && !start.0.is_empty() {
            // The round is complete where it began.
            look.due
                .retain(|due| (due.namespace.as_str(), due.connector_id) <= (&*start.0, start.1));
            look.next = look.next.filter(|next| *next < start);
        }
        found.append(&mut look.due);
        place = look.next.unwrap_or_default();
        is_more = !place.0.is_empty() || !has_turned;
        has_turned |= place.0.is_empty();
        if !is_more || found.len() >= LOOKED_AT || !purse.may_look(ports) {
            break;
        }
    }
    means.place.replace(place);
    let mut lanes = Lanes { lanes: vec![], receivers: vec![], turn: 0 };
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    for due in found {
        let Some(connector) = due.connector else { continue };
        let Some(json) = connector.webhook.as_deref().filter(|_| connector.mode != Mode::Disabled)
        else {
            continue;
        };
        let webhook = Webhook::parse(json).map(Rc::new).map_err(|fault| {
            format!("the webhook is not valid: {}: {}", fault.field, fault.message)
        });
        let host = webhook.as_ref().map_or_else(|_| String::new(), |webhook| receiver_of(webhook));
        let key = (due.namespace.as_str().to_owned(), host.clone());
        let receiver = *places.entry(key).or_insert_with(|| {
            let receiver = (due.namespace.clone(), host);
            lanes.receivers.push(State {
                receiver,
                trouble: None,
                running: 0,
                has_answered: false,
                is_own: false,
            });
            lanes.receivers.len() - 1
        });
        lanes.lanes.push(Lane {
            name: (due.namespace, due.connector_id),
            connector,
            webhook,
            receiver,
            backlog: Backlog::new(),
            is_drained: false,
            is_plentiful: false,
        });
    }
    let all: Vec<Receiver> = lanes.receivers.iter().map(|state| state.receiver.clone()).collect();
    let known = ports.receivers(&all).await?;
    for state in &mut lanes.receivers {
        let host = state.receiver.1.split(':').next().unwrap_or_default();
        state.is_own = known.own_hosts.iter().any(|own| own == host);
    }
    for (receiver, trouble) in known.troubled {
        let state = lanes.receivers.iter_mut().find(|state| state.receiver == receiver);
        if let Some(state) = state {
            state.trouble = Some(trouble);
        }
    }
    // Nobody is always the first.
    let drawn = (means.random)().first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    lanes.turn = drawn as usize % lanes.lanes.len().max(1);
    Ok((lanes, is_more))
}

/// Where a webhook's requests go, by the name under which troubles are kept.
fn receiver_of(webhook: &Webhook) -> String {
    receiver(&webhook.written_url)
}

impl Lanes {
    /// Whether a lane leads to Backtrail itself.
    pub(super) fn is_own(&self, lane: &Lane) -> bool {
        self.receivers.get(lane.receiver).is_some_and(|state| state.is_own)
    }

    pub(super) fn lane(&self, place: usize) -> Option<&Lane> {
        self.lanes.get(place)
    }

    /// The lane of a delivery's connector.
    pub(super) fn lane_of(&self, claimed: &Claimed) -> Option<&Lane> {
        let is_it =
            |lane: &&Lane| lane.name.1 == claimed.connector_id && lane.name.0 == claimed.namespace;
        self.lanes.iter().find(is_it)
    }

    /// The webhook of a delivery's connector.
    pub(super) fn webhook_of(&self, claimed: &Claimed) -> Option<&Webhook> {
        self.lane_of(claimed)?.webhook.as_deref().ok()
    }

    fn is_free(&self, lane: &Lane, now: Timestamp, room: Room) -> bool {
        self.receivers.get(lane.receiver).is_none_or(|state| {
            let has_room = match (state.trouble, state.has_answered) {
                (Some(_), _) => room.is_for_troubled && room.is_for_unproven,
                (None, false) => room.is_for_unproven,
                (None, true) => true,
            };
            has_room && state.is_free(now)
        })
    }

    /// For whom there is room. `may_claim`: whether what is due may still be claimed.
    fn room(&self, now: Timestamp, may_claim: bool) -> Room {
        let running = |is_it: fn(&State) -> bool| {
            self.receivers.iter().filter(|one| is_it(one)).map(|one| one.running).sum::<usize>()
        };
        let has_left = |lane: &Lane| {
            let has_answered = |state: &State| state.has_answered && !state.is_paused(now);
            let is_proven = self.receivers.get(lane.receiver).is_some_and(has_answered);
            is_proven && (!lane.backlog.is_empty() || may_claim && lane.is_plentiful)
        };
        Room {
            is_for_troubled: running(|state| state.trouble.is_some()) < IN_TROUBLE,
            is_for_unproven: running(|state| !state.has_answered) < UNPROVEN
                || !self.lanes.iter().any(has_left),
        }
    }

    /// The next delivery whose receiver may have one more request, and its lane.
    pub(super) fn next(&mut self, now: Timestamp, may_claim: bool) -> Option<(usize, Claimed)> {
        let room = self.room(now, may_claim);
        let count = self.lanes.len();
        for step in 0..count {
            let place = (self.turn + step) % count;
            let is_next = self
                .lanes
                .get(place)
                .is_some_and(|lane| !lane.backlog.is_empty() && self.is_free(lane, now, room));
            if is_next {
                self.turn = place + 1;
                let claimed = self.lanes.get_mut(place)?.backlog.pop_front()?;
                return Some((place, claimed));
            }
        }
        None
    }

    fn state_of(&mut self, place: usize) -> Option<&mut State> {
        let receiver = self.lanes.get(place)?.receiver;
        self.receivers.get_mut(receiver)
    }

    /// A request of this lane is under way.
    pub(super) fn begins(&mut self, place: usize) {
        if let Some(state) = self.state_of(place) {
            state.running += 1;
        }
    }

    /// A request of this lane has ended. What has changed about its receiver, if anything has.
    pub(super) fn ends(
        &mut self,
        place: usize,
        is_trouble: Option<bool>,
        now: Timestamp,
    ) -> Option<(Receiver, Option<Trouble>)> {
        let state = self.state_of(place)?;
        state.running = state.running.saturating_sub(1);
        let before = state.trouble;
        state.trouble = match is_trouble? {
            true => Some(Trouble::after_failure(before, now)),
            false => None,
        };
        state.has_answered = state.trouble.is_none();
        (state.trouble != before).then(|| (state.receiver.clone(), state.trouble))
    }

    /// Nothing more is sent for this connector.
    pub(super) fn disable(&mut self, place: usize) {
        if let Some(lane) = self.lanes.get_mut(place) {
            lane.connector.mode = Mode::Disabled;
            lane.is_drained = true;
        }
    }

    /// The connectors to claim for now: those that have nothing left and whose receivers could
    /// have a request.
    pub(super) fn wanting(&self, now: Timestamp, most: usize) -> Wanted {
        let mut wanted = Wanted::default();
        let room = self.room(now, true);
        let count = self.lanes.len();
        // A receiver is asked by one connector only whether it is back.
        let mut probed = Vec::new();
        for step in 0..count {
            let Some(lane) = self.lanes.get((self.turn + step) % count) else { continue };
            if lane.is_drained || !lane.backlog.is_empty() || !self.is_free(lane, now, room) {
                continue;
            }
            let trouble = self.receivers.get(lane.receiver).and_then(|state| state.trouble);
            match trouble {
                Some(trouble) if trouble.is_probed(now) => {
                    if !probed.contains(&lane.receiver) {
                        probed.push(lane.receiver);
                        wanted.probes.push(lane.name.clone());
                    }
                }
                _ => wanted.plenty.push(lane.name.clone()),
            }
            if wanted.plenty.len() + wanted.probes.len() >= most {
                break;
            }
        }
        wanted
    }

    /// Who got less than was asked for has nothing more that is due.
    pub(super) fn note_claim(&mut self, asked: &[Name], most_each: usize, claimed: &[Claimed]) {
        for lane in &mut self.lanes {
            if asked.contains(&lane.name) {
                let got = claimed.iter().filter(|claimed| {
                    claimed.connector_id == lane.name.1 && claimed.namespace == lane.name.0
                });
                lane.is_drained = got.count() < most_each;
                lane.is_plentiful = !lane.is_drained && most_each > 1;
            }
        }
    }

    /// Puts what was claimed into its lanes, the oldest occasion first.
    pub(super) fn take(&mut self, mut claimed: Vec<Claimed>) {
        claimed.sort_by(|a, b| a.delivery_id.cmp(&b.delivery_id));
        for claimed in claimed {
            let is_it = |lane: &&mut Lane| {
                lane.name.1 == claimed.connector_id && lane.name.0 == claimed.namespace
            };
            if let Some(lane) = self.lanes.iter_mut().find(is_it) {
                lane.backlog.push_back(claimed);
            }
        }
    }

    /// Whether something may be due that this run does not get to.
    pub(super) fn has_more(&self, now: Timestamp) -> bool {
        self.lanes.iter().any(|lane| !lane.is_drained && self.is_free_later(lane, now))
    }

    /// Whether it is not paused; that it is busy passes.
    fn is_free_later(&self, lane: &Lane, now: Timestamp) -> bool {
        !self.receivers.get(lane.receiver).is_some_and(|state| state.is_paused(now))
    }

    /// Something of this lane is due still.
    pub(super) fn gives_back(&mut self, place: usize) {
        if let Some(lane) = self.lanes.get_mut(place) {
            lane.is_drained = lane.connector.mode == Mode::Disabled;
        }
    }

    /// What was claimed and not sent; it is due still.
    pub(super) fn leftover(&mut self) -> Vec<Claimed> {
        let mut leftover = Vec::new();
        for place in 0..self.lanes.len() {
            let lane = self.lanes.get_mut(place);
            let backlog = lane.map(|lane| std::mem::take(&mut lane.backlog)).unwrap_or_default();
            if !backlog.is_empty() {
                self.gives_back(place);
            }
            leftover.extend(backlog);
        }
        leftover
    }

    /// In how many milliseconds there is something to do that the cron job would find too late:
    /// the next attempt of what has failed, or a receiver whose pause ends.
    pub(super) fn next_due(&self, next: Option<Timestamp>, now: Timestamp) -> Option<u64> {
        let paused = self.lanes.iter().filter(|lane| !lane.is_drained).filter_map(|lane| {
            let trouble = self.receivers.get(lane.receiver)?.trouble?;
            Some(trouble.paused_until).filter(|until| *until > now)
        });
        let delay = paused.chain(next).min()?.ms_since(now);
        (delay < CRON_MS).then_some(delay)
    }
}
