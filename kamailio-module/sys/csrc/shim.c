/* See shim.h. build/main.rs also preprocesses this file to learn what the two version strings are. */
#include "core/sr_module.h"
#include "core/dprint.h"
#include "core/dset.h"
#include "core/counters.h"
#include "core/cfg/cfg_struct.h"
#include "core/mem/mem.h"
#include "core/mem/shm_mem.h"
#include "core/parser/msg_parser.h"
#include "core/ver_defs.h"
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
/* ... and so do the allocators, for their statistics */
#undef _SRC_MODULE_
#undef _SRC_LOC_
#define _SRC_MODULE_ name
#define _SRC_LOC_ "shim.c"

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

void *shim_pkg_malloc(unsigned long size)
{
	return pkg_malloc(size);
}

void shim_pkg_free(void *block)
{
	pkg_free(block);
}

void *shim_shm_malloc(unsigned long size)
{
	return shm_malloc(size);
}

void shim_shm_free(void *block)
{
	shm_free(block);
}

void shim_cfg_update(void)
{
	cfg_update();
}

void shim_counter_add(unsigned short id, int n)
{
	counter_handle_t handle = {id};
	counter_add(handle, n);
}

void shim_ruri_mark_new(void)
{
	ruri_mark_new();
}
