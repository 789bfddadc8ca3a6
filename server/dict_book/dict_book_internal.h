/* What writing and reading a dict_book share. */
#ifndef DICT_BOOK_DICT_BOOK_INTERNAL_H
#define DICT_BOOK_DICT_BOOK_INTERNAL_H

#define DICT_RAW_HEADING "#原样"
#define DICT_ERROR_HEADING "错误"
#define DICT_BLANK_ROW "#（空行）"
#define DICT_NOTES_SHEET "说明"
#define DICT_NOTE_FORMAT "文件 %s 字节标记 %d 回车换行 %d 末行换行 %d 分隔符 %d"

#endif /* DICT_BOOK_DICT_BOOK_INTERNAL_H */
