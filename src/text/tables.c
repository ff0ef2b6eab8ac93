/* SPDX-License-Identifier: Apache-2.0
 *
 * All built-in data lies in one section (tools/embed.py, tools/pack_tokens.c), whose ends the linker names.
 */
#include "text/tables.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

extern const char __start_precis_data[], __stop_precis_data[];

atomic_bool tables_are_wanted;
static atomic_bool are_held;

bool tables_let_go(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = ((uintptr_t)__start_precis_data + page - 1) / page * page;
    uintptr_t end = (uintptr_t)__stop_precis_data / page * page;
    if (atomic_exchange_explicit(&tables_are_wanted, false, memory_order_relaxed)) {
        atomic_store_explicit(&are_held, true, memory_order_relaxed);
        return false;
    }
    if (!atomic_exchange_explicit(&are_held, false, memory_order_relaxed) || end <= start)
        return false;
    return madvise((void *)start, end - start, MADV_DONTNEED) == 0; /* never written: nothing is lost */
}
