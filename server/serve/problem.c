/* RFC 9457 problem documents from errors and from bare statuses. */
#include "server/serve/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/serve/http.h"

/* By wire code; a test sees to it that none of err.def is missing. */
static const struct code_title {
    const char *code;
    const char *zh;
} code_titles[] = {
    {"ok", "正常"},
    {"bad_json", "该行不是一个 JSON 对象"},
    {"bad_utf8", "内容不是有效的 UTF-8"},
    {"bad_encoding", "无法识别文件编码"},
    {"too_deep", "JSON 嵌套过深"},
    {"too_long", "超过长度上限"},
    {"missing_field", "缺少必填字段"},
    {"duplicate_field", "字段重复"},
    {"bad_id", "工单编号不正确"},
    {"bad_time", "不是日期和时间"},
    {"bad_type", "工单类型不正确"},
    {"bad_channel", "受理渠道不正确"},
    {"bad_region", "城乡标志不正确"},
    {"bad_event", "事件种类不正确"},
    {"bad_category", "投诉类别不正确"},
    {"bad_value", "字段取值不正确"},
    {"no_column", "缺少列"},
    {"bad_table", "字典表有误"},
    {"bad_pattern", "字典中的规则表达式有误"},
    {"usage", "用法不正确"},
    {"not_found", "没有找到"},
    {"busy", "系统繁忙，请稍后再试"},
    {"locked", "数据正被另一个进程使用"},
    {"store_full", "数据库已达到容量上限"},
    {"disk_full", "磁盘已满"},
    {"newer_format", "数据来自更新的版本"},
    {"corrupt", "存储的数据已损坏"},
    {"io", "读写失败"},
    {"no_memory", "内存不足"},
    {"internal", "内部错误"},
    {"bad_row", "该行与表头不符"},
    {"expired", "该时间的工单已到期清除"},
};

static const struct status_title {
    unsigned status;
    const char *zh;
    const char *en;
} status_titles[] = {
    {400, "请求格式不正确", "the request is malformed"},
    {401, "需要登录", "a token is needed"},
    {403, "没有权限", "not allowed"},
    {404, "没有找到", "no such thing"},
    {405, "不支持该方法", "this method is not allowed here"},
    {406, "没有所要求的格式", "not available in this format"},
    {408, "请求超时", "the request came too slowly"},
    {409, "与现有数据冲突", "in conflict with what there is"},
    {413, "请求内容过大", "the body is too long"},
    {414, "地址过长", "the address is too long"},
    {415, "不支持该内容类型", "this media type is not taken here"},
    {417, "无法满足 Expect", "the expectation cannot be met"},
    {421, "主机名不正确", "this server does not go by that name"},
    {429, "请求过于频繁", "too many requests"},
    {431, "请求头过大", "the headers are too long"},
    {500, "内部错误", "this should not happen"},
    {501, "不支持", "not known here"},
    {503, "系统繁忙，请稍后再试", "busy; try again"},
    {505, "不支持该 HTTP 版本", "this version of HTTP is not spoken"},
    {507, "存储空间已满", "the store is full"},
};

const char *
problem_title(enum err_code code, bool english)
{
    const char *name = err_code_name(code);

    for (size_t i = 0;
         !english && i < sizeof(code_titles) / sizeof(code_titles[0]); i++) {
        if (strcmp(code_titles[i].code, name) == 0) {
            return code_titles[i].zh;
        }
    }
    return err_code_text(code);
}

static const char *
status_title(unsigned status, bool english)
{
    for (size_t i = 0; i < sizeof(status_titles) / sizeof(status_titles[0]);
         i++) {
        if (status_titles[i].status == status) {
            return english ? status_titles[i].en : status_titles[i].zh;
        }
    }
    return http_status_text(status);
}

unsigned
problem_status(enum err_code code, bool body_meant)
{
    if (code == ERR_TOO_LONG && body_meant) {
        return 413;
    }
    switch (err_code_kind(code)) {
    case ERR_KIND_NONE:
        return 200;
    case ERR_KIND_BAD_INPUT:
        return 400;
    case ERR_KIND_NOT_FOUND:
        return 404;
    case ERR_KIND_BUSY:
        return 503;
    case ERR_KIND_NO_ROOM:
        return 507;
    case ERR_KIND_FAILED:
        return 500;
    }
    return 500;
}

/* ";q=0.8" -> 800; 1000 without one. */
static int
quality_permille(struct span parameters)
{
    while (parameters.data != NULL) {
        struct span one = span_trim(span_split(&parameters, ';'));
        int permille = 0;
        int weight = 1000;

        if (one.bytes < 3 || (one.data[0] != 'q' && one.data[0] != 'Q') ||
            one.data[1] != '=') {
            continue;
        }
        for (size_t i = 2; i < one.bytes && weight > 0; i++) {
            if (one.data[i] >= '0' && one.data[i] <= '9') {
                permille += (one.data[i] - '0') * weight;
                weight /= 10;
            } else if (one.data[i] != '.') {
                break;
            }
        }
        return permille;
    }
    return 1000;
}

bool
problem_wants_english(struct span accept_language)
{
    int chinese = 0;
    int english = 0;

    while (accept_language.data != NULL) {
        struct span rest = span_split(&accept_language, ',');
        struct span tag = span_trim(span_split(&rest, ';'));
        int quality = quality_permille(rest);

        if (tag.bytes >= 2 && strncasecmp(tag.data, "zh", 2) == 0) {
            chinese = quality > chinese ? quality : chinese;
        } else if (tag.bytes >= 2 && strncasecmp(tag.data, "en", 2) == 0) {
            english = quality > english ? quality : english;
        }
    }
    return english > chinese;
}

void
problem_put_json(struct json_out *json,
                 unsigned status,
                 const char *code,
                 const char *title,
                 const char *field,
                 const char *detail,
                 struct span instance,
                 uint64_t request_number)
{
    char type[80];

    (void)snprintf(type, sizeof(type), "urn:suqiu:problem:%s", code);
    json_open_object(json);
    json_put_text(json, "type", type);
    json_put_text(json, "title", title);
    json_put_uint(json, "status", status);
    json_put_text(json, "code", code);
    if (field != NULL && field[0] != '\0') {
        json_put_text(json, "field", field);
    }
    if (detail != NULL && detail[0] != '\0') {
        json_put_text(json, "detail", detail);
    }
    if (instance.data != NULL) {
        json_put_string(json, "instance", instance);
    }
    if (request_number > 0) {
        json_put_uint(json, "request_id", request_number);
    }
    json_close_object(json);
}

static void
send_problem(struct http_request *request,
             unsigned status,
             const char *code,
             const char *title,
             const char *field,
             const char *detail,
             unsigned retry_after_s)
{
    struct span instance = http_request_target(request);
    struct json_out json;
    struct buf buf;

    if (instance.bytes > PROBLEM_BYTES_MAX / 8) {
        instance.bytes = utf8_cut(instance.data, PROBLEM_BYTES_MAX / 8);
    }
    buf_init(&buf, PROBLEM_BYTES_MAX);
    json_init(&json, &buf);
    problem_put_json(&json, status, code, title, field, detail, instance,
                     http_request_number(request));
    buf_put_char(&buf, '\n');
    if (status == 503 || status == 429) {
        http_reply_header(request, "Retry-After", "%u", retry_after_s);
    }
    http_reply_header(request, "Vary", "Accept-Language");
    http_reply(request, status, "application/problem+json",
               buf.failed == ERR_OK ? buf_view(&buf) : SPAN_LITERAL("{}"));
    buf_release(&buf);
}

void
problem_reply_err(struct http_request *request, const struct err *err)
{
    bool english =
        problem_wants_english(http_request_header(request, "accept-language"));

    send_problem(request, problem_status(err->code, false),
                 err_code_name(err->code), problem_title(err->code, english),
                 err->field, err->detail, PROBLEM_RETRY_AFTER_S);
}

void
problem_reply(struct http_request *request,
              unsigned status,
              const char *code,
              const char *fmt,
              ...)
{
    bool english =
        problem_wants_english(http_request_header(request, "accept-language"));
    char detail[ERR_DETAIL_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    send_problem(request, status, code, status_title(status, english), "",
                 detail, PROBLEM_RETRY_AFTER_S);
}

void
problem_reply_wait(struct http_request *request,
                   unsigned wait_s,
                   const char *code,
                   const char *fmt,
                   ...)
{
    bool english =
        problem_wants_english(http_request_header(request, "accept-language"));
    char detail[ERR_DETAIL_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    send_problem(request, 429, code, status_title(429, english), "", detail,
                 wait_s);
}
