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
/* core/parser/msg_parser.h: set_force_socket(); without a socket the core chooses */
void shim_set_force_socket(struct sip_msg *msg, struct socket_info *socket);

/* What differs between versions of Kamailio, so that nobody else must know. */

/* core/rpc.h: the flag of a command that answers a list; RET_ARRAY in 5.6, RPC_RET_ARRAY with that as a macro in 6.0 */
enum
{
	SHIM_RPC_RET_ARRAY = RET_ARRAY
};
/* core/pvar.h: pv_get_sintval() takes an int in 5.6, a long in 6.0 */
int shim_pv_get_sintval(struct sip_msg *msg, pv_param_t *param, pv_value_t *result, int number);
/* modules/tm/uac.h: cb_flags of a request is an int in 5.6, an unsigned int in 6.0 */
void shim_uac_set_cb_flags(struct uac_req *request, int flags);

#endif
