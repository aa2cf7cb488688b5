//! What the KEMI tests ask of every function, and the code that it documents. It must not know how a
//! language writes it down.

/// One call of a function of the module; all arguments are texts.
#[derive(Debug)]
pub(crate) struct FunctionCall {
    /// Its name in KEMI.
    pub(crate) function: &'static str,
    pub(crate) arguments: &'static [&'static str],
}

/// Calls that one request makes; the last one's code is the answer.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) calls: &'static [FunctionCall],
    /// What the last call returns.
    pub(crate) code: &'static str,
}

const fn call(function: &'static str, arguments: &'static [&'static str]) -> FunctionCall {
    FunctionCall {
        function,
        arguments,
    }
}

macro_rules! cases {
    ($($name:ident = $code:literal: $($function:ident($($argument:literal),*)),+;)+) => {
        &[$(Case {
            name: stringify!($name),
            calls: &[$(call(stringify!($function), &[$($argument),*])),+],
            code: $code,
        }),+]
    };
}

/// In this order: what an earlier one marked is seen by later ones.
pub(crate) const CASES: &[Case] = cases! {
    count = "1": ks_count("calls");
    count_unknown = "-4": ks_count("nothing");
    admit = "1": ks_admit("calls");
    admit_unknown = "-4": ks_admit("nothing");
    select = "1": ks_select_dst("solo");
    select_nowhere = "-2": ks_select_dst("nowhere");
    select_empty = "-3": ks_select_dst("empty");
    list = "1": ks_select_dst("empty,solo");
    list_next = "-3": ks_select_dst_alg("empty,solo=hash", "p2c"), ks_next_dst();
    list_nowhere = "-2": ks_select_dst("nowhere,never");
    list_empty = "-3": ks_select_dst("nowhere,empty");
    list_unknown = "-4": ks_select_dst("p,solo=fastest");
    list_domain = "1": ks_select_domain_key("empty,solo=hash", "p2c", "room-1");
    select_alg = "1": ks_select_dst_alg("p", "serial");
    select_latency = "1": ks_select_dst_alg("solo", "latency");
    select_fork = "1": ks_select_dst_alg("solo", "fork");
    next_of_fork = "-3": ks_select_dst_alg("solo", "fork"), ks_next_dst();
    domain_fork = "-4": ks_select_domain_alg("solo", "fork");
    select_unknown = "-4": ks_select_dst_alg("p", "fastest");
    select_key = "1": ks_select_dst_key("p", "hash", "room-1");
    select_other_key = "1": ks_select_dst_key("p", "hash", "room-23");
    domain = "1": ks_select_domain("solo");
    domain_alg = "1": ks_select_domain_alg("p", "serial");
    domain_key = "1": ks_select_domain_key("p", "hash", "room-1");
    next = "1": ks_select_dst_alg("p", "serial"), ks_next_dst();
    next_domain = "1": ks_select_domain_alg("p", "serial"), ks_next_domain();
    next_of_none = "-5": ks_next_dst();
    next_of_all = "-3": ks_select_dst("solo"), ks_next_dst();
    mark = "1": ks_select_dst("marked"), ks_mark_dst();
    marked = "-3": ks_select_dst("marked");
    mark_up = "1": ks_select_dst("q"), ks_mark_dst(), ks_mark_dst_state("up");
    mark_unknown = "-4": ks_select_dst("q"), ks_mark_dst_state("tired");
    mark_of_none = "-5": ks_mark_dst();
    mark_member = "1": ks_mark_member("q", "sip:192.0.2.9", "up");
    mark_member_unknown = "-3": ks_mark_member("p", "sip:192.0.2.99", "down");
    mark_member_nowhere = "-2": ks_mark_member("nowhere", "a", "up");
    mark_member_tired = "-4": ks_mark_member("p", "a", "tired");
    from_any = "1": ks_is_from_any_pool();
    from_pool = "1": ks_is_from_pool("callers");
    from_other = "-1": ks_is_from_pool("p");
    from_nowhere = "-2": ks_is_from_pool("nowhere");
    from_fit = "1": ks_is_from_pool_fit("callers", "transport,active");
    from_fit_unknown = "-4": ks_is_from_pool_fit("callers", "sideways");
    from_uri = "1": ks_is_from_pool_uri("p", "any_port", "sip:192.0.2.1:9");
    from_uri_port = "-1": ks_is_from_pool_uri("p", "transport", "sip:192.0.2.1:9");
    from_uri_name = "-1": ks_is_from_pool_uri("p", "any_port", "sip:a.example");
    exists = "1": ks_pool_exists("p");
    exists_not = "-1": ks_pool_exists("nowhere");
    active = "1": ks_is_active("q");
    active_not = "-1": ks_is_active("marked");
    active_uri = "1": ks_is_active_uri("p", "sip:192.0.2.1");
    active_uri_not = "-1": ks_is_active_uri("p", "sip:192.0.2.77");
};
