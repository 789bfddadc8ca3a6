add_cmocka_test(test_ticket LABEL unit SOURCES unit/test_ticket.c LINK analyzers)
add_cmocka_test(test_table LABEL unit SOURCES unit/test_table.c LINK analyzers)
add_cmocka_test(test_span LABEL unit SOURCES unit/test_span.c LINK analyzers)
add_cmocka_test(test_calendar LABEL unit SOURCES unit/test_calendar.c LINK analyzers)
