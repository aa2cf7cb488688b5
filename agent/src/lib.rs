//! kamscale-agent (daemon) and kamscale (command line): observe, plan, act
