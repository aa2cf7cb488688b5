//! The policies that can be played, by name, and what each is.

/// The name of our own.
pub const OWN: &str = "kamscale";
/// The name of the planner who knew the future. It must be shown the demand before it runs.
pub const OPTIMUM: &str = "optimum";
/// All policies in the order in which they are shown: name, and what it is.
pub const POLICIES: [(&str, &str); 7] = [
    (OWN, "The plan function of this agent"),
    (
        "talk",
        "Above 70 % one more, below 50 % one fewer, the oldest, every 30 s",
    ),
    (
        "aodh",
        "OpenStack Heat with alarms of Aodh, +1 and -1, the oldest first",
    ),
    (
        "hpa",
        "Kubernetes HorizontalPodAutoscaler, 70 % of the calls per pod",
    ),
    (
        "target_tracking",
        "AWS Auto Scaling, target tracking of 70 %",
    ),
    (
        "jitsi",
        "jitsi-autoscaler: thresholds over whole periods, graceful shutdown",
    ),
    (
        OPTIMUM,
        "Knows all demand beforehand: nobody can, but it says what is possible",
    ),
];
