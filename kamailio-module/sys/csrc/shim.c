/* See shim.h. build/main.rs also preprocesses this file to learn what the two version strings are. */
#include "core/sr_module.h"
#include "core/dprint.h"
#include "core/dset.h"
#include "core/pvar.h"
#include "core/rpc.h"
#include "core/parser/msg_parser.h"
#include "core/ver_defs.h"
#include "modules/tm/tm_load.h"
#include "shim.h"

const char shim_full_version[] = SER_FULL_VERSION;
const char shim_compile_flags[] = SER_COMPILE_FLAGS;
const unsigned long shim_sizeof_sip_msg = sizeof(struct sip_msg);

static const char *name = "module";
static int name_len = 6;
static char prefix[64] = "module: ";

/* The log macros take the name from these two; the module says at run time who it is. */
#undef LOG_MNAME
#undef LOG_MNAME_LEN
#define LOG_MNAME ((char *)name)
#define LOG_MNAME_LEN name_len

void shim_set_name(const char *text, int len)
{
	name = text;
	name_len = len;
	snprintf(prefix, sizeof(prefix), "%.*s: ", len, text);
}

int shim_log_enabled(int level)
{
	return is_printable(level);
}

void shim_log(int level, const char *text, int len)
{
	LOG_FN(DEFAULT_FACILITY, level, prefix, "%.*s\n", len, text);
}

int shim_pv_get_sintval(struct sip_msg *msg, pv_param_t *param, pv_value_t *result, int number)
{
	return pv_get_sintval(msg, param, result, number);
}

void shim_uac_set_cb_flags(struct uac_req *request, int flags)
{
	request->cb_flags = flags;
}

void shim_set_force_socket(struct sip_msg *msg, struct socket_info *socket)
{
	set_force_socket(msg, socket);
}

void shim_ruri_mark_new(void)
{
	ruri_mark_new();
}
