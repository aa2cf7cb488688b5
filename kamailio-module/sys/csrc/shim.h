/* What bindgen cannot read in Kamailio's headers: function-like macros, static inline functions and strings
 * joined from -D values. No behaviour of its own: every function is one macro of the core. */
#ifndef KAMAILIO_SYS_SHIM_H
#define KAMAILIO_SYS_SHIM_H

/* core/ver_defs.h: what the loader compares before it accepts a module */
extern const char shim_full_version[];
extern const char shim_compile_flags[];
/* core/parser/msg_parser.h: sizeof(struct sip_msg) as the C compiler sees it, to check the bindings */
extern const unsigned long shim_sizeof_sip_msg;

/* The module's name for the log prefix and for its own debug level. Kept by pointer: it must be static. */
void shim_set_name(const char *name, int len);
/* core/dprint.h: is_printable() for the module set by shim_set_name() */
int shim_log_enabled(int level);
/* core/dprint.h: LOG_FN(); one line, without the newline */
void shim_log(int level, const char *text, int len);

/* core/dset.h: ruri_mark_new() */
void shim_ruri_mark_new(void);

#endif
