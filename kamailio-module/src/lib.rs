//! kamscale.so: counts demand per feature and picks pool members from shared memory
