use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use member::CoreMember;
use serde_json::json;

use super::*;

/// A core's list with its faults.
#[derive(Default)]
struct List {
    rows: u64,
    /// Rows that no page can have.
    bad: BTreeSet<u64>,
    /// Larger pages are refused.
    largest: Option<u32>,
    /// More rows are not given at once.
    cap: Option<u32>,
    /// Pages with this row are waited for in vain.
    hangs: Option<u64>,
    asked: RefCell<Vec<Window>>,
}

impl List {
    fn page(&self, window: Window) -> Result<Page<Vec<CoreMember>>, CoreError> {
        self.asked.borrow_mut().push(window);
        let call = Operation::ListMembers.into();
        if self.largest.is_some_and(|largest| window.rows > largest) {
            return Err(CoreError::BadResponse { call, why: BadAnswer::Status(422) });
        }
        let rows = self.cap.map_or(window.rows, |cap| cap.min(window.rows));
        let end = (window.skip + u64::from(rows)).min(self.rows);
        if self.bad.range(window.skip.min(end)..end).next().is_some() {
            return Err(CoreError::Server { call, status: 500, retry_after: None });
        }
        let rows: Vec<_> = (window.skip..end).map(|row| json!({"id": row.to_string()})).collect();
        Page::parse(json!(rows).to_string().as_bytes(), Vec::new())
            .map_err(|why| CoreError::BadResponse { call, why })
    }

    /// The same, after as long as it takes.
    async fn patient_page(&self, window: Window) -> Result<Page<Vec<CoreMember>>, CoreError> {
        let end = window.skip + u64::from(window.rows);
        if self.hangs.is_some_and(|row| (window.skip..end).contains(&row)) {
            tokio::time::sleep(Duration::from_secs(10)).await;
            return Err(CoreError::slow(Operation::ListMembers.into()));
        }
        self.page(window)
    }

    /// Asks for everything at once.
    async fn all(&self, rows: u32) -> Result<Gathered<Vec<CoreMember>>, CoreError> {
        gather(Window { skip: 0, rows }, &Silence::default(), |window| self.patient_page(window))
            .await
    }
}

fn ids(gathered: &Gathered<Vec<CoreMember>>) -> BTreeSet<u64> {
    let rows = gathered.parts.iter().flat_map(|part| &part.page.rows);
    rows.map(|row| row.id().unwrap().parse().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_page_is_asked_for_once() {
    let list = List { rows: 20, ..List::default() };
    let gathered = list.all(10).await.unwrap();
    assert_eq!((gathered.parts.len(), gathered.is_last, gathered.is_halved), (1, false, false));
    assert_eq!(list.asked.borrow().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rows_that_cannot_be_given_are_named_and_all_others_come() {
    for bad in [vec![0], vec![999], vec![500, 501, 502], vec![0, 7, 430, 998], vec![]] {
        let list = List { rows: 1000, bad: bad.iter().copied().collect(), ..List::default() };
        let gathered = list.all(1000).await.unwrap();
        assert_eq!(gathered.unreadable, bad);
        assert_eq!(ids(&gathered).len(), 1000 - bad.len());
        assert!(!gathered.is_last);
        assert!(list.asked.borrow().len() < 100, "{bad:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_core_that_gives_few_rows_at_once_gives_them_all_in_the_end() {
    let list = List { rows: 100, largest: Some(7), ..List::default() };
    assert_eq!(ids(&list.all(64).await.unwrap()).len(), 64);
    let list = List { rows: 100, cap: Some(30), ..List::default() };
    let gathered = list.all(64).await.unwrap();
    assert_eq!((ids(&gathered).len(), gathered.is_halved), (64, false));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_list_is_seen_in_a_window_that_is_halved() {
    let list = List { rows: 20, bad: [19].into(), ..List::default() };
    let gathered = list.all(64).await.unwrap();
    assert_eq!((gathered.unreadable.as_slice(), gathered.is_last), (&[19][..], true));
    assert_eq!(ids(&gathered).len(), 19);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_the_core_hangs_on_is_found_like_any_other() {
    for row in [0, 40, 63] {
        let list = List { rows: 100, hangs: Some(row), ..List::default() };
        let gathered = list.all(64).await.unwrap();
        assert_eq!((gathered.unreadable.as_slice(), ids(&gathered).len()), (&[row][..], 63));
    }
    let list = List { rows: 1, hangs: Some(0), ..List::default() };
    let begun = tokio::time::Instant::now();
    assert!(list.all(64).await.is_err());
    assert!(begun.elapsed() <= Duration::from_secs(13), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_core_that_gives_no_row_is_given_up() {
    let list = List { rows: 1000, bad: (0..1000).collect(), ..List::default() };
    let begun = tokio::time::Instant::now();
    assert!(list.all(1000).await.is_err());
    assert!(begun.elapsed() <= Duration::from_secs(11), "{:?}", begun.elapsed());
    assert!(list.asked.borrow().len() <= 50);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_the_right_is_told_at_once() {
    let silence = Silence::default();
    let window = Window { skip: 0, rows: 100 };
    let refused = gather(window, &silence, |_| async {
        Err::<Page<Vec<CoreMember>>, _>(CoreError::Forbidden {
            call: Operation::ListMembers.into(),
        })
    });
    assert!(matches!(refused.await, Err(CoreError::Forbidden { .. })));
}
