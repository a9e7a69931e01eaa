//! Who may send much now: one connection of a core in each round of its loop. Between two turns whatever else has
//! happened is seen to, so that small answers do not wait for many large ones.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

/// The turns of one core.
#[derive(Default)]
pub(super) struct Turns {
    /// Somebody has had his turn in this round, or has been given it.
    is_taken: Cell<bool>,
    /// Who has been given it and has not come for it yet.
    given_to: Cell<Option<u64>>,
    /// Who waits, first come, first served, with a number of his own.
    waiting: RefCell<VecDeque<(u64, Waker)>>,
    numbers: Cell<u64>,
    keeper: Cell<Option<Waker>>,
}

impl Turns {
    /// Waits for a turn.
    pub(super) fn mine(&self) -> Mine<'_> {
        Mine { turns: self, number: None }
    }

    /// Waits until a turn is taken. Who keeps the turns then waits for the end of the round, and passes it on.
    pub(super) async fn taken(&self) {
        poll_fn(|context| {
            if self.is_taken.get() {
                return Poll::Ready(());
            }
            self.keeper.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Gives the next turn to who has waited longest.
    pub(super) fn pass_on(&self) {
        let next = self.waiting.borrow_mut().pop_front();
        self.is_taken.set(next.is_some());
        self.given_to.set(next.as_ref().map(|(number, _)| *number));
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

/// See [`Turns::mine`].
pub(super) struct Mine<'a> {
    turns: &'a Turns,
    /// While it waits.
    number: Option<u64>,
}

impl Future for Mine<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let turns = self.turns;
        let waker = context.waker();
        match self.number {
            Some(number) if turns.given_to.get() == Some(number) => {
                turns.given_to.set(None);
                self.number = None;
                Poll::Ready(())
            }
            Some(number) => {
                let mut waiting = turns.waiting.borrow_mut();
                let own = waiting.iter_mut().find(|(other, _)| *other == number);
                own.expect("who waits is in the queue").1.clone_from(waker);
                Poll::Pending
            }
            None if !turns.is_taken.replace(true) => {
                turns.keeper.take().into_iter().for_each(Waker::wake);
                Poll::Ready(())
            }
            None => {
                let number = turns.numbers.get();
                turns.numbers.set(number + 1);
                turns.waiting.borrow_mut().push_back((number, waker.clone()));
                self.number = Some(number);
                Poll::Pending
            }
        }
    }
}

impl Drop for Mine<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        if self.turns.given_to.get() == Some(number) {
            // It did not come for it.
            self.turns.pass_on();
        } else {
            self.turns.waiting.borrow_mut().retain(|(other, _)| *other != number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::pin::pin;

    fn is_ready(future: Pin<&mut impl Future>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn one_in_each_round_in_the_order_in_which_they_came() {
        let turns = Turns::default();
        assert!(!is_ready(pin!(turns.taken())), "nobody has come yet");
        assert!(is_ready(pin!(turns.mine())), "the first need not wait");
        let (mut second, mut third) = (pin!(turns.mine()), pin!(turns.mine()));
        assert!(!is_ready(second.as_mut()) && !is_ready(third.as_mut()));
        assert!(is_ready(pin!(turns.taken())));
        turns.pass_on();
        assert!(!is_ready(third.as_mut()), "it is not his turn");
        assert!(is_ready(second.as_mut()));
        assert!(is_ready(pin!(turns.taken())));
        turns.pass_on();
        assert!(is_ready(third.as_mut()));
        turns.pass_on();
        assert!(!is_ready(pin!(turns.taken())), "nobody waits any more");
        assert!(is_ready(pin!(turns.mine())));
    }

    #[test]
    fn who_goes_away_holds_nobody_up() {
        let turns = Turns::default();
        assert!(is_ready(pin!(turns.mine())));
        let (mut second, mut third) = (Box::pin(turns.mine()), Box::pin(turns.mine()));
        let mut fourth = Box::pin(turns.mine());
        for waiting in [&mut second, &mut third, &mut fourth] {
            assert!(!is_ready(waiting.as_mut()));
        }
        drop(third);
        turns.pass_on();
        // It was his turn.
        drop(second);
        assert!(is_ready(fourth.as_mut()));
        turns.pass_on();
        assert!(is_ready(pin!(turns.mine())));
    }
}
