# Counts the results in one runner's log: prints "PASSED FAILED SKIPPED", or with -v reasons=1 the reasons for skipping.
# Understands cargo test ("test result: ok. 3 passed; 0 failed; 1 ignored; ...") and scripts that print a line
# "ok  NAME" or "FAILED  NAME" per test. A test that cannot run prints a line "SKIPPED: why" and returns: cargo
# counts it as passed, here it is skipped; in a script such a line stands for itself.

{ gsub(/\033\[[0-9;]*[A-Za-z]/, ""); sub(/\r$/, "") }

/^---- .* stdout ----$/ { in_test = 1; told = 0 }
/^successes:$/ { in_failures = 0 }
/^failures:$/ { in_failures = 1 }

/^test result: / {
    passed += field("passed")
    failed += field("failed")
    ignored = field("ignored")
    skipped += ignored
    if (ignored && reasons) print "SKIPPED: " ignored " marked #[ignore]"
    in_test = in_failures = 0
    next
}

/^SKIPPED:/ && !in_failures {
    if (in_test && told) next
    told = 1
    skipped++
    if (in_test) passed--
    if (reasons) print
}

!in_test && /^ok  +[^ ]/ { passed++ }
!in_test && /^FAILED  +[^ ]/ { failed++ }

END { if (!reasons) print passed + 0, failed + 0, skipped + 0 }

function field(name,    i) {
    for (i = 2; i <= NF; i++) if ($i ~ "^" name ";?$") return $(i - 1) + 0
    return 0
}
