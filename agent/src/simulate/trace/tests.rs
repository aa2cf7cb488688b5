//! Traces: what each kind of file becomes, and what is said about bad ones.

use std::path::Path;

use super::{MAX_CSV_BYTES, Trace, parse, read};

const HOLD_S: Option<f64> = Some(100.0);

fn good(text: &str) -> Trace {
    parse(Path::new("dir/day.csv"), text.as_bytes(), HOLD_S).unwrap()
}

fn bad(text: &str) -> String {
    parse(Path::new("day.csv"), text.as_bytes(), HOLD_S)
        .unwrap_err()
        .to_string()
}

#[test]
fn rates_hold_until_the_next_row_and_the_last_as_long_as_the_one_before() {
    let trace = good("time,arrivals_per_s\n0,1.5\n60,2\n120,0\n");
    assert_eq!(trace.name, "day");
    assert_eq!(trace.arrivals, [(0.0, 1.5), (60.0, 2.0), (120.0, 0.0)]);
    assert_eq!((trace.duration_s, trace.hold_s), (180.0, 100.0));
    assert_eq!(
        trace.calls_at_start, 150.0,
        "as if the first rate had been there before"
    );
    assert_eq!(trace.total_calls(), 210.0);
    assert_eq!(trace.starts_at_s, None);
}

#[test]
fn moments_are_unix_seconds_or_of_the_calendar_and_begin_at_zero() {
    for rows in [
        "1763800200,1\n1763800260,1\n",
        "2025-11-22T08:30:00Z,1\n2025-11-22T08:31:00Z,1\n",
        "2025-11-22T09:30:00+01:00,1\n2025-11-22T09:31:00.000+01:00,1\n",
        "2025-11-22 08:30:00,1\n2025-11-22T08:31,1\n",
        "2025-11-22 08:30:00Z,1\n2025-11-22 08:31:00.000,1\n",
    ] {
        let trace = good(&format!("time,arrivals_per_s\n{rows}"));
        assert_eq!(trace.arrivals, [(0.0, 1.0), (60.0, 1.0)], "{rows}");
        assert_eq!(trace.starts_at_s, Some(8.5 * 3_600.0), "{rows}");
    }
}

#[test]
fn other_columns_orders_separators_comments_and_a_byte_order_mark_do_no_harm() {
    let trace = good("\u{feff}# exported\nsite; Arrivals_per_s ;TIME\r\nx; 1 ;0\r\ny;2;60\r\n");
    assert_eq!(trace.arrivals, [(0.0, 1.0), (60.0, 2.0)]);
    let trace = good("\n\ntime\tarrivals_per_s\n0\t1\n60\t2\n");
    assert_eq!(trace.arrivals, [(0.0, 1.0), (60.0, 2.0)]);
}

#[test]
fn arrivals_are_derived_from_calls_in_progress() {
    let trace = good("time,calls\n0,100\n50,100\n100,200\n150,0\n");
    assert_eq!(trace.calls_at_start, 100.0);
    // Steady: calls / hold. Rising: the rise on top. Falling faster than calls end: none.
    assert_eq!(trace.arrivals, [(0.0, 1.0), (50.0, 3.5), (100.0, 0.0)]);
    assert_eq!(trace.duration_s, 150.0);
}

#[test]
fn call_detail_records_tell_their_hold_time_and_may_come_in_any_order() {
    let text = "caller,start,duration\na,130,30\nb,10,60\nc,20,90\nd,40,0\n";
    let trace = parse(Path::new("cdr.csv"), text.as_bytes(), None).unwrap();
    assert_eq!(
        trace.arrivals,
        [(0.0, 2.0 / 60.0), (60.0, 0.0), (120.0, 1.0 / 60.0)]
    );
    assert_eq!((trace.duration_s, trace.hold_s), (180.0, 60.0));
    assert!(
        trace.found.contains("3 calls; 1 of 0 s left out"),
        "{}",
        trace.found
    );
}

#[test]
fn prometheus_series_are_summed_and_gaps_add_nothing() {
    let trace = good(
        r#" {"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"node":"a"},"values":[[1763800200,"1.5"],[1763800260,"NaN"],[1763800320,"2"]]},
            {"metric":{"node":"b"},"values":[[1763800200,"0.5"],[1763800260,"3"]]}]}}"#,
    );
    assert_eq!(trace.arrivals, [(0.0, 2.0), (60.0, 3.0), (120.0, 2.0)]);
    assert!(trace.found.contains("2 series"), "{}", trace.found);
}

#[test]
fn a_bad_row_is_named_by_file_line_and_column_with_the_remedy() {
    let head = "time,arrivals_per_s\n0,1\n";
    for (row, said) in [
        (
            "60,abc",
            "day.csv:3: column arrivals_per_s: \"abc\" is no number; write it as 12.5",
        ),
        (
            "60,-1",
            "day.csv:3: column arrivals_per_s: -1 is negative; it must be 0 or more",
        ),
        (
            "60,",
            "day.csv:3: column arrivals_per_s: is empty; write 0 or leave the line out",
        ),
        (
            "60,inf",
            "day.csv:3: column arrivals_per_s: \"inf\" is no number; write it as 12.5",
        ),
        (
            "-60,1",
            "day.csv:3: column time: time goes backwards here; sort the file by time",
        ),
        (
            "0,1",
            "day.csv:3: column time: the same time stands twice; sum such rows up",
        ),
        (
            "1763800200000,1",
            "day.csv:3: column time: 1763800200000 looks like milliseconds; divide it by 1000",
        ),
        (
            "60",
            "day.csv:3: has 1 fields, the header has 2; fill in or leave out the line",
        ),
    ] {
        assert_eq!(bad(&format!("{head}{row}\n")), said);
    }
    // Neither half a moment nor one of a zone whose offset is not told is guessed.
    for moment in [
        "soon",
        "2025-11-22",
        "08:30",
        "2025-02-30T08:30:00",
        "2025-11-22T24:30",
        "2025-11-22T08:30:00[Europe/Berlin]",
        "2025-11-22T08:30:00 CET",
    ] {
        let said = bad(&format!("{head}{moment},1\n"));
        assert!(
            said.contains(&format!("column time: \"{moment}\" is no moment")),
            "{said}"
        );
    }
    assert!(bad(&format!("{head}99999999,1\n")).contains("at most 31"));
}

#[test]
fn a_file_that_is_no_trace_is_refused_with_what_would_be_one() {
    assert!(bad("").contains("is empty"));
    assert!(bad(" \n\n").contains("is empty"));
    assert!(bad("time,arrivals_per_s\n").contains("fewer than two rows"));
    assert!(bad("when,what\n1,2\n").contains("day.csv:1: the header \"when,what\" is not known"));
    assert!(bad("time,calls,arrivals_per_s\n1,2,3\n").contains("leave one of both columns out"));
    assert!(bad("time,arrivals_per_s\n0,0\n60,0\n").contains("no call arrives"));
    assert!(bad("time,arrivals_per_s\n0,1e9\n60,1e9\n").contains("needs rate()"));
    assert!(bad("start,duration\n0,0\n").contains("no call that lasted"));
    let crowded = bad("time,calls\n0,6e7\n60,6e7\n");
    assert!(crowded.contains("is --hold-s in seconds?"), "{crowded}");
    let compressed = parse(Path::new("d.gz"), &[0x1f, 0x8b, 8, 0][..], HOLD_S);
    assert!(compressed.unwrap_err().to_string().contains("gunzip"));
    let binary = parse(Path::new("d"), &b"time,calls\n\xff\xfe,1\n"[..], HOLD_S);
    assert!(
        binary
            .unwrap_err()
            .to_string()
            .contains("d:2: is no UTF-8 text")
    );
    let missing = read(Path::new("/nonexistent/trace.csv"), HOLD_S)
        .unwrap_err()
        .to_string();
    assert!(missing.contains("cannot be read"), "{missing}");
    assert!(
        read(Path::new("/"), HOLD_S)
            .unwrap_err()
            .to_string()
            .contains("directory")
    );
}

#[test]
fn a_bad_answer_of_prometheus_is_refused_with_its_place() {
    assert!(bad("{\"status\":\"success\",\n oops}").contains("day.csv:2: column "));
    assert!(bad(r#"{"status":"error","error":"bad query"}"#).contains("bad query"));
    assert!(bad("{}").contains("query_range"));
    assert!(bad("[1]").contains("query_range"));
    let data = |kind: &str, result: &str| {
        bad(&format!(
            r#"{{"data":{{"resultType":"{kind}","result":[{result}]}}}}"#
        ))
    };
    assert!(data("vector", "").contains("answers a matrix"));
    assert!(data("matrix", "").contains("no series"));
    assert!(data("matrix", "3").contains("day.csv:1: column 4"));
    let said = data("matrix", r#"{"values":[[1,"2"],[2,"x"]]}"#);
    assert!(
        said.contains("day.csv: series 1, value 2: \"x\" is no number"),
        "{said}"
    );
    assert!(data("matrix", r#"{"values":[[1,"-2"]]}"#).contains("no rate of arrivals"));
    assert!(data("matrix", r#"{"values":[[1e300,"2"]]}"#).contains("no unix time"));
}

#[test]
fn the_hold_time_is_asked_for_when_the_file_does_not_tell_it() {
    let text = "time,arrivals_per_s\n0,1\n60,1\n";
    let said = parse(Path::new("d.csv"), text.as_bytes(), None)
        .unwrap_err()
        .to_string();
    assert!(said.contains("--hold-s"), "{said}");
    let said = parse(Path::new("d.csv"), text.as_bytes(), Some(0.0))
        .unwrap_err()
        .to_string();
    assert!(said.contains("must be above 0"), "{said}");
}

#[test]
fn an_endless_line_and_an_endless_file_end_in_an_error_not_in_memory() {
    let line = std::io::BufReader::new(std::io::repeat(b'1'));
    let said = parse(Path::new("d"), line, HOLD_S).unwrap_err().to_string();
    assert!(said.contains("has a line of more than"), "{said}");
    let json = std::io::Read::chain(&b"{"[..], std::io::repeat(b' '));
    let said = parse(Path::new("d"), std::io::BufReader::new(json), HOLD_S)
        .unwrap_err()
        .to_string();
    assert!(said.contains("is too big (at most 32 MiB)"), "{said}");
    assert_eq!(MAX_CSV_BYTES >> 20, 1_024);
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "(time|start|calls|duration|arrivals_per_s|[0-9.,;:eTZ\\-\n\"\\{\\}\\[\\] ]){0,60}") {
        let _ = parse(Path::new("d"), text.as_bytes(), HOLD_S);
        let _ = parse(Path::new("d"), format!("start,duration\n{text}").as_bytes(), None);
        let _ = parse(Path::new("d"), format!("time,calls\n{text}").as_bytes(), HOLD_S);
    }
}
