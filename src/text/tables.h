/* SPDX-License-Identifier: Apache-2.0
 *
 * Built-in tables (vocabularies, vectors of words) are read in place from the program's file. The kernel maps
 * sixteen pages around each that is touched, so that a few texts make 15 MB resident. When no text was looked
 * up for a while, they are let go: they stay in the kernel's page cache, and are mapped again when needed.
 */
#ifndef PRECIS_TEXT_TABLES_H
#define PRECIS_TEXT_TABLES_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool tables_are_wanted;

/* To be called by what is about to read a table. Threads share the line unless one was let go. */
static inline void tables_want(void)
{
    if (!atomic_load_explicit(&tables_are_wanted, memory_order_relaxed))
        atomic_store_explicit(&tables_are_wanted, true, memory_order_relaxed);
}

/* Lets go of what nobody wanted since the last call; true when it did. A reader at work loses nothing but
 * time. */
bool tables_let_go(void);

#endif
