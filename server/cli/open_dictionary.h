/*
 * open_dictionary: the tables that --dict names, built.
 */
#ifndef CLI_OPEN_DICTIONARY_H
#define CLI_OPEN_DICTIONARY_H

#include "analyzers/dictionary.h"
#include "server/base/config.h"

/*
 * Load and build what the settings say (dict, deadline_profile, model).
 *   out     given on ERR_OK: free with dictionary_free
 * Errors  those of dict_files_load and dictionary_build
 */
enum err_code open_dictionary(const struct config *config,
                              struct dictionary **out,
                              struct err *err) MUST_CHECK;

#endif /* CLI_OPEN_DICTIONARY_H */
