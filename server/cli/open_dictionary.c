/* Read the tables, build the dictionary, let the bytes go. */
#include "server/cli/open_dictionary.h"

#include "server/base/dict_files.h"

enum err_code
open_dictionary(const struct config *config,
                struct dictionary **out,
                struct err *err)
{
    struct dictionary_options options = {.deadline_profile =
                                             config->deadline_profile,
                                         .model_off = !config->model};
    struct dict_files files;
    enum err_code code = dict_files_load(config->dict, &files, err);

    if (code != ERR_OK) {
        return code;
    }
    code = dictionary_build(files.files, files.count, &options, out, err);
    dict_files_release(&files);
    return code;
}
