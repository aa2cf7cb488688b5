//! What bindgen and the C shim say about one exact Kamailio build
