use proptest::prelude::*;

use super::*;

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn start() -> Instant {
    Instant::now()
}

fn at(number: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + number).unwrap()
}

fn row(number: i64) -> Seen {
    Seen { number, at: at(number), concerns: vec![Concerns::Everything] }
}

/// A node: its feed, and its cursor in the log.
struct Node {
    feed: ChangeFeed,
    cursor: LogCursor,
}

impl Node {
    fn starting_at(present: &[i64], now: Instant) -> Self {
        let (feed, cursor) = (ChangeFeed::new(), LogCursor::starting_at(present, now));
        feed.begin(present.last().copied().map(at), &cursor, now);
        Self { feed, cursor }
    }

    fn with_limits(self, page: usize, ranges: usize) -> Self {
        self.feed.inner.write().limits = Limits { page, ranges };
        self
    }

    fn reads(&mut self, visible: &[i64], now: Instant) {
        let fresh = self.cursor.observe(visible, now);
        self.feed.add(fresh.into_iter().map(row).collect(), &self.cursor, now);
    }

    #[track_caller]
    fn tells(&self, cursor: &FeedCursor) -> (Vec<i64>, FeedCursor, i64) {
        match self.feed.since(cursor) {
            Since::Changed(told) => {
                (told.changes.iter().map(|change| change.sequence).collect(), written(&told.next), told.position)
            }
            other @ (Since::Unknown(_) | Since::Behind) => panic!("{other:?}"),
        }
    }
}

/// As it comes back from whoever follows.
fn written(cursor: &FeedCursor) -> FeedCursor {
    let read = cursor.to_string().parse().unwrap();
    assert_eq!(&read, cursor);
    read
}

fn cursor(text: &str) -> FeedCursor {
    text.parse().unwrap()
}

#[test]
fn what_changed_is_told_once_with_what_came_late() {
    let now = start();
    let mut node = Node::starting_at(&[1, 2], now);
    let begun = node.feed.begun();
    assert_eq!((begun.position, begun.changes.len()), (2, 0));
    node.reads(&[3, 6], now);
    let (told, next, position) = node.tells(&begun.next);
    assert_eq!((told, position), (vec![3, 6], 3));
    assert_eq!(node.tells(&next).0, [0; 0]);
    node.reads(&[5, 7], now);
    let (told, next, position) = node.tells(&next);
    assert_eq!((told, position), (vec![5, 7], 3));
    node.reads(&[4], now);
    let (told, next, position) = node.tells(&next);
    assert_eq!((told, position), (vec![4], 7));
    assert_eq!(next.to_string(), format!("1.7.{}.", at(7).as_millisecond()));
    assert_eq!(node.tells(&begun.next).0, [3, 4, 5, 6, 7], "whoever asks again is told again");
}

#[test]
fn a_number_that_never_comes_is_given_up() {
    let now = start();
    let mut node = Node::starting_at(&[1], now);
    let begun = node.feed.begun();
    node.reads(&[3], now);
    let (_, next, position) = node.tells(&begun.next);
    assert_eq!((next.missing.clone(), position), (vec![2..=2], 1));
    node.reads(&[], now + Duration::from_secs(10));
    let (told, next, position) = node.tells(&next);
    assert_eq!((told, next.missing, position), (Vec::new(), Vec::new(), 3));
}

#[test]
fn another_node_goes_on_where_one_stopped() {
    let now = start();
    let (mut here, mut there) = (Node::starting_at(&[1], now), Node::starting_at(&[1], now));
    here.reads(&[2, 5], now);
    let (_, next, _) = here.tells(&here.tells(&cursor(&format!("1.1.{}.", at(1).as_millisecond()))).1);
    assert_eq!(there.feed.since(&next), Since::Behind, "it has not read so far");
    there.reads(&[3, 5], now);
    let (told, next, position) = there.tells(&next);
    assert_eq!((told, position), (vec![3], 1), "that 2 was told is not known there");
    assert_eq!(next.missing, [4..=4]);
    there.reads(&[2, 4, 6], now);
    assert_eq!(there.tells(&next).0, [4, 6]);
    let mut young = Node::starting_at(&[1, 2, 3, 5], now);
    young.reads(&[4], now);
    assert!(matches!(young.feed.since(&next), Since::Unknown(_)), "what came before it started is not known");
}

#[test]
fn whoever_is_unknown_here_starts_afresh() {
    let now = start();
    let mut node = Node::starting_at(&[9_998, 10_000], now);
    node.reads(&[10_001], now);
    let millisecond = |number| at(number).as_millisecond();
    let check = |text: String, unknown: bool| {
        let since = node.feed.since(&cursor(&text));
        assert_eq!(matches!(since, Since::Unknown(_)), unknown, "{text}: {since:?}");
        if let Since::Unknown(told) = since {
            assert_eq!((told.changes.len(), node.tells(&told.next).0), (0, Vec::new()), "and is known from then on");
        }
    };
    check(format!("1.10001.{}.", millisecond(10_001)), false);
    check(format!("1.10000.{}.", millisecond(10_000)), false);
    check(format!("1.9998.{}.", millisecond(9_998)), true);
    check(format!("1.9999.{}.", millisecond(9_999)), true);
    check(format!("1.10001.{}.9999", millisecond(10_001)), true);
    check(format!("1.10001.{}.", millisecond(10_002)), true); // a restored backup went on otherwise
    check(format!("1.10001.{}.1-2_9996", millisecond(10_001)), true); // what was missing may have come and gone
    check(format!("1.100.{}.", millisecond(100)), true);
    check("1.0.0.".to_owned(), true);
    let behind = |text: String| assert_eq!(node.feed.since(&cursor(&text)), Since::Behind, "{text}");
    behind(format!("1.10002.{}.", millisecond(10_002)));
    behind(format!("1.{}.0.", i64::MAX - 1));
    let empty = Node::starting_at(&[], now);
    assert_eq!(empty.tells(&cursor("1.0.0.")).0, [0; 0]);
}

#[test]
fn what_is_old_is_forgotten_but_the_newest() {
    let now = start();
    let mut node = Node::starting_at(&[1], now);
    let (begun, second) = (node.feed.begun().next, Duration::from_secs(1));
    node.reads(&[2], now + second);
    node.reads(&[3], now + second * 2);
    node.reads(&[], now + REMEMBERED);
    assert_eq!(node.tells(&begun).0, [2, 3]);
    node.reads(&[], now + REMEMBERED + second);
    assert!(matches!(node.feed.since(&begun), Since::Unknown(_)));
    let at_two = cursor(&format!("1.2.{}.", at(2).as_millisecond()));
    assert_eq!(node.tells(&at_two).0, [3]);
    let (newest, later) = (node.tells(&at_two).1, now + REMEMBERED * 9);
    node.reads(&[], later);
    assert!(matches!(node.feed.since(&at_two), Since::Unknown(_)));
    node.reads(&[4], later);
    assert_eq!(node.tells(&newest).0, [4], "however long nothing changed");
    node.reads(&[], later + REMEMBERED);
    assert!(matches!(node.feed.since(&newest), Since::Unknown(_)));
    assert_eq!(node.tells(&node.feed.begun().next).0, [0; 0]);
}

#[test]
fn many_names_are_told_in_pages_and_too_many_are_forgotten() {
    let now = start();
    let mut node = Node::starting_at(&[1], now);
    let begun = node.feed.begun().next;
    node.reads(&(2..=100_001).filter(|number| number % 1000 != 0).collect::<Vec<_>>(), now);
    let (mut next, mut told, mut pages) = (begun.clone(), Vec::new(), 0);
    loop {
        let (page, after, position) = node.tells(&next);
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= PAGE && position == 999.min(*page.last().unwrap()), "{position}");
        assert!(after.to_string().len() < 600, "{after}");
        (next, pages) = (after, pages + 1);
        told.extend(page);
    }
    assert_eq!((told.len(), pages), (100_000 - 100, 100));
    node.reads(&(100_002..=250_000).collect::<Vec<_>>(), now);
    assert!(matches!(node.feed.since(&begun), Since::Unknown(_)));
    assert!(node.feed.inner.read().names <= MOST_NAMES);
}

#[test]
fn a_text_that_is_no_cursor_is_refused() {
    let check = |text: &str, sound: bool| assert_eq!(text.parse::<FeedCursor>().is_ok(), sound, "{text}");
    check("1.0.0.", true);
    check("1.7.1800000000000.", true);
    check("1.7.1800000000000.1-2_2", true);
    for wrong in [
        "",
        "1",
        "1.",
        "1.7",
        "1.7.0",
        "7",
        "1.-7.0.",
        "1.+7.0.",
        "1. 7.0.",
        "1.7.x.",
        "1.7.0.7",
        "1.7.0.0",
        "1.7.0.3-4",
        "1.7.0.3_0",
        "1.7.0.5_2",
        "1.7.0.0-3",
        "1.7.0.1-",
        "1.7.0._",
        "1.7.0.1__2",
        "1.7.0.1.2",
        "1.0.0.1",
        "1.7.9223372036854775806.",
        "1.9223372036854775807.0.",
        "1.99999999999999999999.0.",
        "1.7.0.1-2-3",
        "1.7.0.1\0",
    ] {
        check(wrong, false);
    }
    let of_another = |text: &str, is: bool| assert_eq!(FeedCursor::is_of_another_version(text), is, "{text}");
    of_another("2.7.0.", true);
    of_another("17.whatever", true);
    for own_or_none in ["1.7.0.x", "2", "x.7", ".7", "-2.7", ""] {
        of_another(own_or_none, false);
    }
    check(&format!("1.10000.0.{}", vec!["2"; MOST_RANGES].join("_")), true);
    check(&format!("1.10000.0.{}", vec!["2"; MOST_RANGES + 1].join("_")), false);
}

#[test]
fn what_comes_after_very_many_missing_numbers_waits_for_some_of_them() {
    let now = start();
    let mut node = Node::starting_at(&[1], now).with_limits(5000, MOST_RANGES);
    let begun = node.feed.begun().next;
    let odd: Vec<i64> = (2..=3000).filter(|number| number % 2 == 1).collect();
    node.reads(&odd, now);
    let last = 2 * MOST_RANGES as i64 + 1;
    let (told, next, position) = node.tells(&begun);
    assert_eq!((told.len(), told.last(), position), (MOST_RANGES, Some(&last), 1));
    assert!(next.to_string().len() < 1500);
    assert_eq!(node.tells(&next), (Vec::new(), next.clone(), 1), "and is not told again and again");
    assert_eq!(node.feed.begun().next, next);
    node.reads(&[2, 4], now);
    assert_eq!(node.tells(&next).0, [2, 4, last + 2, last + 4]);
    node.reads(&[], now + Duration::from_secs(10));
    let (told, next, position) = node.tells(&next);
    assert_eq!((told.len(), next.missing.len(), position), (odd.len() - MOST_RANGES + 2, 0, 2999));
}

/// What a keeper of answers keeps: what was read at this position, and not named since.
struct Keeper {
    least: i64,
    named: Vec<i64>,
}

#[test]
fn what_came_before_a_beginning_and_above_a_missing_number_is_not_kept_from_a_node_that_is_behind() {
    let now = start();
    let (mut here, mut there) = (Node::starting_at(&[1], now), Node::starting_at(&[1], now));
    // 2 is open, and 3 was told to whoever was there.
    here.reads(&[3], now);
    there.reads(&[], now);
    let begun = here.feed.begun();
    let mut keeper = Keeper { least: begun.position, named: Vec::new() };
    let read_there = there.cursor.settled();
    here.reads(&[2, 4], now);
    keeper.named.extend(here.tells(&begun.next).0);
    assert!(!keeper.named.contains(&3), "so that nothing says that it is void");
    assert!(read_there < keeper.least, "and therefore it must not be kept");
    // Once nothing is missing, all is kept again.
    there.reads(&[2, 3, 4], now);
    assert!(there.cursor.settled() >= keeper.least);
}

#[test]
fn whoever_begins_above_a_missing_number_that_was_forgotten_goes_on() {
    let now = start();
    let mut node = Node::starting_at(&[1], now);
    node.reads(&(3..=250_000).collect::<Vec<_>>(), now);
    assert_eq!(node.cursor.missing().collect::<Vec<_>>(), [2], "it may still appear");
    let begun = node.feed.begun();
    assert_eq!(node.tells(&begun.next).0, [0; 0]);
    node.reads(&[250_001], now);
    assert_eq!(node.tells(&begun.next).0, [250_001]);
    assert_eq!(begun.position, 250_000);
}

#[test]
fn a_message_says_whether_more_changed_than_it_tells() {
    let now = start();
    let told = |node: &Node, cursor: &FeedCursor| match node.feed.since(cursor) {
        Since::Changed(told) => (told.changes.len(), told.more, told.next),
        other @ (Since::Unknown(_) | Since::Behind) => panic!("{other:?}"),
    };
    let mut node = Node::starting_at(&[1], now).with_limits(2, 500);
    let begun = node.feed.begun();
    assert!(!begun.more);
    node.reads(&[2, 3, 4], now);
    let (count, more, next) = told(&node, &begun.next);
    assert_eq!((count, more), (2, true), "a page");
    let (count, more, _) = told(&node, &next);
    assert_eq!((count, more), (1, false), "and the rest");

    // More ranges are missing than a cursor has: what lies above them waits until some of them appear, or are given up.
    let mut node = Node::starting_at(&[1], now).with_limits(100, 2);
    let begun = node.feed.begun();
    node.reads(&[3, 5, 7, 9], now);
    let (count, more, next) = told(&node, &begun.next);
    assert_eq!((count, more), (2, true));
    node.reads(&[2, 4, 6, 8], now);
    let (count, more, _) = told(&node, &next);
    assert_eq!((count, more), (6, false));
}

#[test]
fn what_a_page_leaves_in_many_ranges_is_told_by_the_next() {
    let now = start();
    let mut node = Node::starting_at(&[1], now).with_limits(3, 2);
    node.reads(&[30], now);
    let cursor = cursor(&format!("1.30.{}.2-27", at(30).as_millisecond()));
    // Of one range many came, with others missing between.
    node.reads(&[3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19], now);
    node.reads(&[2, 5, 8, 11, 14, 17, 20], now);
    let (mut next, mut told) = (cursor, Vec::new());
    loop {
        let (page, after, _) = node.tells(&next);
        if page.is_empty() {
            break;
        }
        (next, told) = (after, [told, page].concat());
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, (2..=20).collect::<Vec<_>>());
}

proptest! {
    /// Three nodes see the numbers in orders of their own, and whoever follows asks any of them at any time.
    #[test]
    fn nothing_is_lost_on_the_way_between_nodes(
        steps in prop::collection::vec((0..3usize, 1..8usize, any::<bool>()), 20..120),
        order in Just((1..=60i64).collect::<Vec<_>>()).prop_shuffle(),
        limits in prop_oneof![Just((PAGE, MOST_RANGES)), Just((3, 2)), Just((1, 1)), Just((2, 5))],
    ) {
        let now = start();
        let mut nodes = [(); 3].map(|()| Node::starting_at(&[], now).with_limits(limits.0, limits.1));
        let (mut committed, mut read) = (0, [0; 3]);
        let (mut next, mut told) = (cursor("1.0.0."), Vec::new());
        for (node, count, reads) in steps {
            committed = (committed + count / 4).min(order.len());
            if reads {
                // A reading sees whatever was committed before it.
                let mut visible = order[read[node]..committed].to_vec();
                visible.sort_unstable();
                read[node] = committed;
                nodes[node].reads(&visible, now);
            }
            if let Since::Changed(changed) = nodes[node].feed.since(&next) {
                told.extend(changed.changes.iter().map(|change| change.sequence));
                next = written(&changed.next);
            }
        }
        for node in &mut nodes {
            let mut visible = order.clone();
            visible.sort_unstable();
            node.reads(&visible, now);
        }
        let position = loop {
            let (page, after, position) = nodes[0].tells(&next);
            next = after;
            if page.is_empty() {
                break position;
            }
            told.extend(page);
        };
        told.sort_unstable();
        told.dedup();
        prop_assert_eq!((told, position, next.missing.len()), ((1..=60).collect::<Vec<_>>(), 60, 0));
    }
}
