//! Looks at a group: one request for all its resources, and one more for each member of which
//! something new is to be learnt. It changes nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::group::{Group, Work};
use super::view::{self, Row, View};
use crate::actuator::ActuatorError;
use crate::config::HeatActuator;
use crate::heat::{Phase, StackPath};

/// An address that was not there is asked for again after so long.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// One that Heat has not finished is asked so often: what must know it before it serves waits for that.
const ASK_EARLY: Duration = Duration::from_secs(5);
/// From the first sight of a deletion to the word that a hook holds it, at most.
const HOOK_DELAY: Duration = Duration::from_secs(15);
/// Requests about single members in one look; the others wait for the next.
const MOST_QUESTIONS: usize = 50;
/// From the group down to the resources of its members.
const DEPTH: u32 = 2;

impl Group {
    /// The type that the group's resource must have.
    fn kind(&self) -> &'static str {
        match self.config.actuator {
            HeatActuator::HeatAutoscalingGroup => "OS::Heat::AutoScalingGroup",
            HeatActuator::HeatResourceGroup | HeatActuator::StackPerMember => {
                "OS::Heat::ResourceGroup"
            }
        }
    }

    /// Looks at the group, completely or not at all.
    pub(super) async fn look(&self, work: &mut Work) -> Result<(), ActuatorError> {
        let began = Instant::now();
        work.looked_at = Some(began);
        let mut view = match self.view(work).await {
            Ok(Some(view)) => view,
            Ok(None) => {
                // Heat says so itself, and knows the project: this is no lost connection.
                self.ledger().see(began, View::empty());
                return Err(self.trouble().no_stack());
            }
            Err(error) => return Err(error),
        };
        let mut questions = MOST_QUESTIONS;
        for row in &mut view.rows {
            self.ask_whether_held(row, work, &mut questions).await?;
            self.ask_for_address(row, view.group.as_ref(), work, &mut questions)
                .await?;
        }
        let there = |identity: &String| view.rows.iter().any(|row| row.identity == *identity);
        work.addresses.retain(|identity, _| there(identity));
        work.early.retain(|identity, _| there(identity));
        work.held.retain(|identity, _| there(identity));
        work.going_since.retain(|identity, _| there(identity));
        work.strange_since.retain(|identity, _| there(identity));
        self.ledger().see(began, view);
        Ok(())
    }

    /// The group as its stack shows it; `None` if there is no such stack.
    async fn view(&self, work: &mut Work) -> Result<Option<View>, ActuatorError> {
        for known in [work.stack.is_some(), false] {
            if !known {
                let found = self.heat.find(&self.config.stack).await;
                let found = found.map_err(|error| self.trouble().look(error))?;
                work.stack = found.map(|stack| stack.path());
            }
            let Some(path) = work.stack.clone() else {
                return Ok(None);
            };
            let resources = match self.heat.resources(&path, DEPTH).await {
                Ok(resources) => resources,
                // Perhaps deleted and made anew: the name is asked for once more.
                Err(error) if error.is_not_found() && known => continue,
                Err(error) => return Err(self.trouble().look(error)),
            };
            let (group, alarm) = (&self.config.group, &self.config.scale_out_alarm);
            match View::of(&resources, &path, group, self.kind(), alarm) {
                Ok(view) => return Ok(Some(view)),
                Err(view::Unfit::Missing) if known => {}
                Err(unfit) => return Err(self.trouble().unfit(group, self.kind(), &unfit)),
            }
        }
        Ok(None)
    }

    async fn ask_whether_held(
        &self,
        row: &mut Row,
        work: &mut Work,
        questions: &mut usize,
    ) -> Result<(), ActuatorError> {
        let going = row.status.is_leaving() && row.status.phase == Phase::InProgress;
        let Some(nested) = row.nested.clone().filter(|_| going && row.has_life) else {
            work.held.remove(&row.identity);
            return Ok(());
        };
        if let Some(held) = work.held.get(&row.identity) {
            row.held.clone_from(held);
            return Ok(());
        }
        let since = *work
            .going_since
            .entry(row.identity.clone())
            .or_insert_with(Instant::now);
        row.undecided = since.elapsed() < HOOK_DELAY;
        if *questions == 0 {
            row.undecided = true;
            return Ok(());
        }
        *questions -= 1;
        match self.heat.held(&nested).await {
            Ok(held) if held.is_empty() => Ok(()),
            Ok(held) => {
                work.held.insert(row.identity.clone(), held.clone());
                row.held = held;
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(self.trouble().look(error)),
        }
    }

    async fn ask_for_address(
        &self,
        row: &mut Row,
        group: Option<&StackPath>,
        work: &mut Work,
        questions: &mut usize,
    ) -> Result<(), ActuatorError> {
        let asked = work.addresses.get(&row.identity);
        if let Some((at, address)) = asked {
            (row.address, row.is_nowhere) = (*address, address.is_none());
            if address.is_some() || at.elapsed() < ASK_AGAIN {
                return Ok(());
            }
        }
        let coming = row.status.is_coming();
        let known = !row.status.is_stillborn() && (!coming || row.nested.is_some());
        let gone = row.status.is_leaving() && row.status.phase == Phase::Complete;
        if !known || gone || *questions == 0 {
            return Ok(());
        }
        if coming {
            let asked = work.early.get(&row.identity);
            if asked.is_some_and(|at| at.elapsed() < ASK_EARLY) {
                return Ok(());
            }
            work.early.insert(row.identity.clone(), Instant::now());
        }
        *questions -= 1;
        let address = match (&row.nested, group) {
            (Some(nested), _) => self.heat.stack(nested, true).await.map(|stack| {
                let output = stack.output(&self.config.address_output);
                output.and_then(view::address)
            }),
            (None, Some(group)) => {
                let attributes = self.heat.attributes(group, &row.name).await;
                attributes.map(|attributes| view::address_of_server(&attributes))
            }
            (None, None) => return Ok(()),
        };
        row.address = match address {
            Ok(address) => address,
            Err(error) if error.is_not_found() => None,
            // It will be asked again.
            Err(_) if coming => None,
            Err(error) => return Err(self.trouble().look(error)),
        };
        if coming && row.address.is_none() {
            return Ok(());
        }
        row.is_nowhere = row.address.is_none();
        let answer = (Instant::now(), row.address);
        work.addresses.insert(row.identity.clone(), answer);
        Ok(())
    }
}
