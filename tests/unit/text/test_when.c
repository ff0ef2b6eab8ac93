/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ranges the dates of a question become. It is Saturday, 21 November 2026, in all of them.
 */
#include "text/when.h"

#include "core/buf.h"
#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define US_PER_DAY ((int64_t)86400 * US_PER_SEC)

struct example {
    const char *question;
    const char *ranges; /* "from..until unit year", joined by "; "; an open side is empty */
};

/* clang-format off */
static const struct example examples[] = {
    {"on 15 July 2023", "2023-07-15..2023-07-16 day given"},
    {"July 15, 2023", "2023-07-15..2023-07-16 day given"},
    {"7/15/2023", "2023-07-15..2023-07-16 day given"},
    {"7/8/2023", "2023-07-08..2023-07-09 day given ambiguous; 2023-08-07..2023-08-08 day given ambiguous"},
    {"2023-07-15", "2023-07-15..2023-07-16 day given"},
    {"in May 2023", "2023-05-01..2023-06-01 month given"},
    {"in May", "2026-05-01..2026-06-01 month any"},
    {"last week", "2026-11-09..2026-11-16 week relative"},
    {"last Tuesday", "2026-11-17..2026-11-18 day relative"},
    {"yesterday", "2026-11-20..2026-11-21 day relative"},
    {"two weeks ago", "2026-11-02..2026-11-09 week relative"},
    {"past three months", "2026-08-21..2026-11-22 season relative"},
    {"this summer", "2026-06-01..2026-09-01 season relative"},
    {"between March and June 2022", "2022-03-01..2022-07-01 season given"},
    {"before May 2023", "..2023-05-01 month given"},
    {"since last week", "2026-11-09.. week relative"},
    {"early July", "2026-07-01..2026-07-11 week any"},
    {"mid-July 2023", "2023-07-11..2023-07-21 week given"},
    {"the weekend of May 6", "2026-05-05..2026-05-08 week any"},
    {"in 2022", "2022-01-01..2023-01-01 year given"},
    {"first week of August", "2026-08-01..2026-08-08 week any"},
    {"Q3 2024", "2024-07-01..2024-10-01 season given"},
    {"What is the name of Maria's puppy she got two weeks before August 11, 2023?", "2023-07-24..2023-07-31 week given"},
    {"What did Maria participate in last weekend before April 10, 2023?", "2023-04-08..2023-04-10 week given"},
    {"from July 15 to 20, 2023", "2023-07-15..2023-07-21 week given"},
    {"15.-20. Juli 2023", "2023-07-15..2023-07-21 week given"},
    {"letzte Woche", "2026-11-09..2026-11-16 week relative"},
    {"vor zwei Wochen", "2026-11-02..2026-11-09 week relative"},
    {"vor dem 5. Mai 2023", "..2023-05-05 day given"},
    {"in den letzten drei Monaten", "2026-08-21..2026-11-22 season relative"},
    {"la semaine dernière", "2026-11-09..2026-11-16 week relative"},
    {"il y a deux semaines", "2026-11-02..2026-11-09 week relative"},
    {"les trois derniers mois", "2026-08-21..2026-11-22 season relative"},
    {"début juillet", "2026-07-01..2026-07-11 week any"},
    {"hace dos semanas", "2026-11-02..2026-11-09 week relative"},
    {"la semana pasada", "2026-11-09..2026-11-16 week relative"},
    {"a principios de julio de 2023", "2023-07-01..2023-07-11 week given"},
    {"w zeszłym tygodniu", "2026-11-09..2026-11-16 week relative"},
    {"dwa tygodnie temu", "2026-11-02..2026-11-09 week relative"},
    {"między marcem a czerwcem 2022", "2022-03-01..2022-07-01 season given"},
    {"w maju zeszłego roku", "2025-05-01..2025-06-01 month relative"},
    {"2023年5月15日", "2023-05-15..2023-05-16 day given"},
    {"昨天", "2026-11-20..2026-11-21 day relative"},
    {"上周", "2026-11-09..2026-11-16 week relative"},
    {"上周二", "2026-11-10..2026-11-11 day relative"},
    {"三天前", "2026-11-18..2026-11-19 day relative"},
    {"去年夏天", "2025-06-01..2025-09-01 season relative"},
    {"過去3か月", "2026-08-21..2026-11-22 season relative"},
    {"先週の火曜日", "2026-11-10..2026-11-11 day relative"},
    {"2023년 5월 15일", "2023-05-15..2023-05-16 day given"},
    {"지난주 화요일", "2026-11-10..2026-11-11 day relative"},
    {"작년 여름에", "2025-06-01..2025-09-01 season relative"},
    {"3일 전", "2026-11-18..2026-11-19 day relative"},
    {"How many of the 2000 items may I keep?", ""},
    {"the 90s", "1990-01-01..2000-01-01 decade given"},
    {"end of last month", "2026-10-21..2026-11-01 month relative"},
    {"last Friday of March 2023", "2023-03-31..2023-04-01 day given"},
    {"in May and June 2023", "2023-05-01..2023-06-01 month given; 2023-06-01..2023-07-01 month given"},
    {"avant-hier", "2026-11-19..2026-11-20 day relative"},
    {"5月以前", "..2026-05-01 month any"},
    {"2023年5月から7月まで", "2023-05-01..2023-08-01 season given"},
    {"the 1990s", "1990-01-01..2000-01-01 decade given"},
    {"the weekend of May 6, 2023", "2023-05-06..2023-05-08 week given"},
    {"the week of May 6, 2023", "2023-05-01..2023-05-08 week given"},
    {"What did Maria do on the evening of 7 July, 2023?", "2023-07-07..2023-07-08 day given"},
    {"What happened on July 4th?", "2026-07-04..2026-07-05 day any"},
    {"on the 4th of July 2022", "2022-07-04..2022-07-05 day given"},
    {"on Tuesday, 15 July 2025", "2025-07-15..2025-07-16 day given"},
    {"Tue, Jan. 3rd, 2023", "2023-01-03..2023-01-04 day given"},
    {"2023/07/15", "2023-07-15..2023-07-16 day given"},
    {"2023.07.15", "2023-07-15..2023-07-16 day given"},
    {"2023-07", "2023-07-01..2023-08-01 month given"},
    {"15.07.2023", "2023-07-15..2023-07-16 day given"},
    {"15/07/2023", "2023-07-15..2023-07-16 day given"},
    {"07-15-2023", "2023-07-15..2023-07-16 day given"},
    {"31/31/2023", ""},
    {"30/2/2023", ""},
    {"on 7/15", "2026-07-15..2026-07-16 day any"},
    {"Is support 24/7?", ""},
    {"version 1.2.3", ""},
    {"What did he buy in early 2022?", "2022-01-01..2022-05-01 season given"},
    {"in late May 2023", "2023-05-21..2023-06-01 week given"},
    {"at the end of 2022", "2022-09-01..2023-01-01 season given"},
    {"at the beginning of the year", "2026-01-01..2026-05-01 season relative"},
    {"at the end of the month", "2026-11-21..2026-12-01 week relative"},
    {"mid 2021", "2021-05-01..2021-09-01 season given"},
    {"in the summer of 2021", "2021-06-01..2021-09-01 season given"},
    {"summer 2023", "2023-06-01..2023-09-01 season given"},
    {"winter 2022", "2022-12-01..2023-03-01 season given"},
    {"this winter", "2026-12-01..2027-03-01 season relative"},
    {"last winter", "2025-12-01..2026-03-01 season relative"},
    {"last summer", "2026-06-01..2026-09-01 season relative"},
    {"next summer", "2027-06-01..2027-09-01 season relative"},
    {"in the fall", "2026-09-01..2026-12-01 season any"},
    {"Did she fall?", ""},
    {"May I ask you?", ""},
    {"How may I help in March?", "2026-03-01..2026-04-01 month any"},
    {"He will march on.", ""},
    {"What did April say to June?", "2026-06-01..2026-07-01 month any"},
    {"in April", "2026-04-01..2026-05-01 month any"},
    {"last May", "2026-05-01..2026-06-01 month relative"},
    {"next May", "2027-05-01..2027-06-01 month relative"},
    {"this May", "2026-05-01..2026-06-01 month relative"},
    {"May last year", "2025-05-01..2025-06-01 month relative"},
    {"in May of last year", "2025-05-01..2025-06-01 month relative"},
    {"May of this year", "2026-05-01..2026-06-01 month relative"},
    {"today", "2026-11-21..2026-11-22 day relative"},
    {"tomorrow", "2026-11-22..2026-11-23 day relative"},
    {"last night", "2026-11-20..2026-11-21 day relative"},
    {"this morning", "2026-11-21..2026-11-22 day relative"},
    {"the day before yesterday", "2026-11-19..2026-11-20 day relative"},
    {"the day after tomorrow", "2026-11-23..2026-11-24 day relative"},
    {"3 days ago", "2026-11-18..2026-11-19 day relative"},
    {"a year ago", "2025-01-01..2026-01-01 year relative"},
    {"a couple of weeks ago", "2026-11-02..2026-11-09 week relative"},
    {"ten months ago", "2026-01-01..2026-02-01 month relative"},
    {"4 years ago", "2022-01-01..2023-01-01 year relative"},
    {"last month", "2026-10-01..2026-11-01 month relative"},
    {"this month", "2026-11-01..2026-12-01 month relative"},
    {"next month", "2026-12-01..2027-01-01 month relative"},
    {"last quarter", "2026-07-01..2026-10-01 season relative"},
    {"this year", "2026-01-01..2027-01-01 year relative"},
    {"last year", "2025-01-01..2026-01-01 year relative"},
    {"next year", "2027-01-01..2028-01-01 year relative"},
    {"last decade", "2010-01-01..2020-01-01 decade relative"},
    {"last weekend", "2026-11-14..2026-11-16 week relative"},
    {"this weekend", "2026-11-21..2026-11-23 week relative"},
    {"over the weekend", "2026-11-21..2026-11-23 week relative"},
    {"on Friday", "2026-11-20..2026-11-21 day relative"},
    {"on Saturday", "2026-11-21..2026-11-22 day relative"},
    {"next Friday", "2026-11-27..2026-11-28 day relative"},
    {"this Monday", "2026-11-16..2026-11-17 day relative"},
    {"Tuesday last week", "2026-11-10..2026-11-11 day relative"},
    {"in the last 30 days", "2026-10-22..2026-11-22 month relative"},
    {"over the past year", "2025-11-21..2026-11-22 year relative"},
    {"the last few weeks", "2026-10-31..2026-11-22 month relative"},
    {"next two weeks", "2026-11-21..2026-12-06 month relative"},
    {"since 2020", "2020-01-01.. year given"},
    {"since May", "2026-05-01.. month any"},
    {"until 15 July 2023", "..2023-07-16 day given"},
    {"by Friday", "..2026-11-21 day relative"},
    {"after Christmas 2022", "2022-12-26.. day given"},
    {"before last summer", "..2026-06-01 season relative"},
    {"prior to June 2023", "..2023-06-01 month given"},
    {"before yesterday", "..2026-11-20 day relative"},
    {"from March to June 2022", "2022-03-01..2022-07-01 season given"},
    {"from November to March 2023", "2022-11-01..2023-04-01 season given"},
    {"March-June 2022", "2022-03-01..2022-07-01 season given"},
    {"March 3 - April 5, 2022", "2022-03-03..2022-04-06 season given"},
    {"July 15-20, 2023", "2023-07-15..2023-07-21 week given"},
    {"15-20 July 2023", "2023-07-15..2023-07-21 week given"},
    {"between 5 and 9 May 2023", "2023-05-05..2023-05-10 week given"},
    {"between May 5 and May 9", "2026-05-05..2026-05-10 week any"},
    {"from 2019 to 2021", "2019-01-01..2022-01-01 decade given"},
    {"2019-2021", "2019-01-01..2022-01-01 decade given"},
    {"Q3", "2026-07-01..2026-10-01 season any"},
    {"2024 Q1", "2024-01-01..2024-04-01 season given"},
    {"third quarter of 2024", "2024-07-01..2024-10-01 season given"},
    {"the 2nd quarter of 2023", "2023-04-01..2023-07-01 season given"},
    {"H1 2023", "2023-01-01..2023-07-01 season given"},
    {"first half of 2023", "2023-01-01..2023-07-01 season given"},
    {"last week of August 2023", "2023-08-25..2023-09-01 week given"},
    {"second Monday of January 2023", "2023-01-09..2023-01-10 day given"},
    {"the first weekend of June 2023", "2023-06-03..2023-06-05 week given"},
    {"first day of May 2023", "2023-05-01..2023-05-02 day given"},
    {"5th Friday of February 2023", "2023-02-01..2023-03-01 month given"},
    {"on Christmas", "2025-12-25..2025-12-26 day any"},
    {"last Christmas", "2025-12-25..2025-12-26 day relative"},
    {"on Halloween 2022", "2022-10-31..2022-11-01 day given"},
    {"two days after Christmas 2022", "2022-12-27..2022-12-28 day given"},
    {"the week after 9 June 2023", "2023-06-12..2023-06-19 week given"},
    {"three months before yesterday", "2026-08-01..2026-09-01 month relative"},
    {"May '23", "2023-05-01..2023-06-01 month given"},
    {"In 2023, what did she do in March?", "2023-03-01..2023-04-01 month given"},
    {"the 2022 conference", "2022-01-01..2023-01-01 year given"},
    {"In 2022 Melanie moved", "2022-01-01..2023-01-01 year given"},
    {"error 2013: lost connection", ""},
    {"Which of the 1984 rows and 2000 tokens?", ""},
    {"29 February", "2024-02-29..2024-03-01 day any"},
    {"30 February 2024", "2024-02-01..2024-03-01 month given"},
    {"February 29, 2024", "2024-02-29..2024-03-01 day given"},
    {"31 April 2023", "2023-04-01..2023-05-01 month given"},
    {"on 15. 7. 2023", "2023-07-15..2023-07-16 day given"},
    {"January 2023 and March 2023", "2023-01-01..2023-02-01 month given; 2023-03-01..2023-04-01 month given"},
    {"am 15. Juli 2023", "2023-07-15..2023-07-16 day given"},
    {"Was war im Mai?", "2026-05-01..2026-06-01 month any"},
    {"im Mai letzten Jahres", "2025-05-01..2025-06-01 month relative"},
    {"letzten Dienstag", "2026-11-17..2026-11-18 day relative"},
    {"gestern", "2026-11-20..2026-11-21 day relative"},
    {"vorgestern", "2026-11-19..2026-11-20 day relative"},
    {"vor drei Tagen", "2026-11-18..2026-11-19 day relative"},
    {"vor einem Jahr", "2025-01-01..2026-01-01 year relative"},
    {"diesen Sommer", "2026-06-01..2026-09-01 season relative"},
    {"nächste Woche", "2026-11-23..2026-11-30 week relative"},
    {"letztes Jahr", "2025-01-01..2026-01-01 year relative"},
    {"zwischen März und Juni 2022", "2022-03-01..2022-07-01 season given"},
    {"seit Januar 2023", "2023-01-01.. month given"},
    {"nach dem 5. Mai 2023", "2023-05-06.. day given"},
    {"Anfang Juli", "2026-07-01..2026-07-11 week any"},
    {"Ende 2022", "2022-09-01..2023-01-01 season given"},
    {"Mitte März 2023", "2023-03-11..2023-03-21 week given"},
    {"im dritten Quartal 2024", "2024-07-01..2024-10-01 season given"},
    {"3. Quartal 2024", "2024-07-01..2024-10-01 season given"},
    {"erste Woche im August 2023", "2023-08-01..2023-08-08 week given"},
    {"am Wochenende", "2026-11-21..2026-11-23 week relative"},
    {"zwei Wochen vor dem 11. August 2023", "2023-07-24..2023-07-31 week given"},
    {"le 15 juillet 2023", "2023-07-15..2023-07-16 day given"},
    {"1er mai 2023", "2023-05-01..2023-05-02 day given"},
    {"en mai", "2026-05-01..2026-06-01 month any"},
    {"en mars 2022", "2022-03-01..2022-04-01 month given"},
    {"mardi dernier", "2026-11-17..2026-11-18 day relative"},
    {"hier", "2026-11-20..2026-11-21 day relative"},
    {"aujourd'hui", "2026-11-21..2026-11-22 day relative"},
    {"il y a un mois", "2026-10-01..2026-11-01 month relative"},
    {"l'année dernière", "2025-01-01..2026-01-01 year relative"},
    {"cet été", "2026-06-01..2026-09-01 season relative"},
    {"entre mars et juin 2022", "2022-03-01..2022-07-01 season given"},
    {"avant mai 2023", "..2023-05-01 month given"},
    {"depuis janvier 2023", "2023-01-01.. month given"},
    {"fin juillet", "2026-07-21..2026-08-01 week any"},
    {"mi-juillet 2023", "2023-07-11..2023-07-21 week given"},
    {"en 2022", "2022-01-01..2023-01-01 year given"},
    {"T3 2024", "2024-07-01..2024-10-01 season given"},
    {"la première semaine d'août 2023", "2023-08-01..2023-08-08 week given"},
    {"le week-end du 15 juillet 2023", "2023-07-15..2023-07-17 week given"},
    {"el 15 de julio de 2023", "2023-07-15..2023-07-16 day given"},
    {"en mayo", "2026-05-01..2026-06-01 month any"},
    {"el martes pasado", "2026-11-17..2026-11-18 day relative"},
    {"ayer", "2026-11-20..2026-11-21 day relative"},
    {"anteayer", "2026-11-19..2026-11-20 day relative"},
    {"hace tres días", "2026-11-18..2026-11-19 day relative"},
    {"el año pasado", "2025-01-01..2026-01-01 year relative"},
    {"este verano", "2026-06-01..2026-09-01 season relative"},
    {"los últimos tres meses", "2026-08-21..2026-11-22 season relative"},
    {"entre marzo y junio de 2022", "2022-03-01..2022-07-01 season given"},
    {"antes de mayo de 2023", "..2023-05-01 month given"},
    {"desde enero", "2026-01-01.. month any"},
    {"a mediados de julio", "2026-07-11..2026-07-21 week any"},
    {"la primera semana de agosto de 2023", "2023-08-01..2023-08-08 week given"},
    {"tercer trimestre de 2024", "2024-07-01..2024-10-01 season given"},
    {"15 lipca 2023 r.", "2023-07-15..2023-07-16 day given"},
    {"w maju", "2026-05-01..2026-06-01 month any"},
    {"w maju 2023 roku", "2023-05-01..2023-06-01 month given"},
    {"wczoraj", "2026-11-20..2026-11-21 day relative"},
    {"w zeszły wtorek", "2026-11-17..2026-11-18 day relative"},
    {"tydzień temu", "2026-11-09..2026-11-16 week relative"},
    {"rok temu", "2025-01-01..2026-01-01 year relative"},
    {"przed dwoma tygodniami", "2026-11-02..2026-11-09 week relative"},
    {"w ciągu ostatnich trzech miesięcy", "2026-08-21..2026-11-22 season relative"},
    {"tego lata", "2026-06-01..2026-09-01 season relative"},
    {"przed majem 2023", "..2023-05-01 month given"},
    {"od stycznia 2023", "2023-01-01.. month given"},
    {"na początku lipca", "2026-07-01..2026-07-11 week any"},
    {"pod koniec 2022 roku", "2022-09-01..2023-01-01 season given"},
    {"w 2022 roku", "2022-01-01..2023-01-01 year given"},
    {"w pierwszym tygodniu sierpnia 2023", "2023-08-01..2023-08-08 week given"},
    {"2023年5月", "2023-05-01..2023-06-01 month given"},
    {"2023年", "2023-01-01..2024-01-01 year given"},
    {"5月", "2026-05-01..2026-06-01 month any"},
    {"5月15日", "2026-05-15..2026-05-16 day any"},
    {"前天", "2026-11-19..2026-11-20 day relative"},
    {"去年", "2025-01-01..2026-01-01 year relative"},
    {"今年", "2026-01-01..2027-01-01 year relative"},
    {"去年5月", "2025-05-01..2025-06-01 month relative"},
    {"上个月", "2026-10-01..2026-11-01 month relative"},
    {"上個月", "2026-10-01..2026-11-01 month relative"},
    {"这个月", "2026-11-01..2026-12-01 month relative"},
    {"下周", "2026-11-23..2026-11-30 week relative"},
    {"两周前", "2026-11-02..2026-11-09 week relative"},
    {"三个月前", "2026-08-01..2026-09-01 month relative"},
    {"两年前", "2024-01-01..2025-01-01 year relative"},
    {"最近三天", "2026-11-18..2026-11-22 week relative"},
    {"过去三个月", "2026-08-21..2026-11-22 season relative"},
    {"2023年夏天", "2023-06-01..2023-09-01 season given"},
    {"2023年第三季度", "2023-07-01..2023-10-01 season given"},
    {"5月初", "2026-05-01..2026-05-11 week any"},
    {"2022年底", "2022-09-01..2023-01-01 season given"},
    {"2023年5月以前", "..2023-05-01 month given"},
    {"2023年3月到6月", "2023-03-01..2023-07-01 season given"},
    {"2020年以来", "2020-01-01.. year given"},
    {"２０２３年５月", "2023-05-01..2023-06-01 month given"},
    {"十二月", "2025-12-01..2026-01-01 month any"},
    {"昨年", "2025-01-01..2026-01-01 year relative"},
    {"先週", "2026-11-09..2026-11-16 week relative"},
    {"先月", "2026-10-01..2026-11-01 month relative"},
    {"今週", "2026-11-16..2026-11-23 week relative"},
    {"来月", "2026-12-01..2027-01-01 month relative"},
    {"昨日", "2026-11-20..2026-11-21 day relative"},
    {"一昨日", "2026-11-19..2026-11-20 day relative"},
    {"3日前", "2026-11-18..2026-11-19 day relative"},
    {"2週間前", "2026-11-02..2026-11-09 week relative"},
    {"三ヶ月前", "2026-08-01..2026-09-01 month relative"},
    {"2年前", "2024-01-01..2025-01-01 year relative"},
    {"昨年の夏", "2025-06-01..2025-09-01 season relative"},
    {"2023年の夏", "2023-06-01..2023-09-01 season given"},
    {"8月の第一週", "2026-08-01..2026-08-08 week any"},
    {"2023年5月末", "2023-05-21..2023-06-01 week given"},
    {"2020年以降", "2020-01-01.. year given"},
    {"2023年4月まで", "..2023-05-01 month given"},
    {"5月に何をした", "2026-05-01..2026-06-01 month any"},
    {"어제", "2026-11-20..2026-11-21 day relative"},
    {"그저께", "2026-11-19..2026-11-20 day relative"},
    {"작년", "2025-01-01..2026-01-01 year relative"},
    {"지난달", "2026-10-01..2026-11-01 month relative"},
    {"지난주에", "2026-11-09..2026-11-16 week relative"},
    {"이번 주", "2026-11-16..2026-11-23 week relative"},
    {"다음 달", "2026-12-01..2027-01-01 month relative"},
    {"2주 전", "2026-11-02..2026-11-09 week relative"},
    {"3개월 전", "2026-08-01..2026-09-01 month relative"},
    {"2년 전", "2024-01-01..2025-01-01 year relative"},
    {"지난 3개월", "2026-08-21..2026-11-22 season relative"},
    {"5월에", "2026-05-01..2026-06-01 month any"},
    {"2023년 여름", "2023-06-01..2023-09-01 season given"},
    {"2023년 3분기", "2023-07-01..2023-10-01 season given"},
    {"5월 초", "2026-05-01..2026-05-11 week any"},
    {"2020년 이후", "2020-01-01.. year given"},
    {"2023년 5월까지", "..2023-06-01 month given"},
    {"nothing here", ""},
    {"over the past month", "2026-10-21..2026-11-22 month relative"},
    {"Between March 2021 and May what changed", "2021-03-01..2021-06-01 season given"},
    {"Dates: 2023-07-15T10:00:00Z", "2023-07-15..2023-07-16 day given"},
    {"two weeks later", ""},
    {"7/8/23", "2023-07-08..2023-07-09 day given ambiguous; 2023-08-07..2023-08-08 day given ambiguous"},
    {"since 7/8/2023", "2023-07-08.. day given"},
    {"What was her 2 May 2023, 5 May 2023 and 9 May 2023 plan?", "2023-05-02..2023-05-03 day given; 2023-05-05..2023-05-06 day given; 2023-05-09..2023-05-10 day given"},
};
/* clang-format on */

static int64_t time_of(const char *text)
{
    int64_t time_us = 0;
    assert_int_equal(civil_parse(str_of(text), &time_us, NULL), 0);
    return time_us;
}

static void print_day(int64_t time_us, struct buf *buf)
{
    struct civil civil;
    civil_from_us(time_us, NULL, &civil);
    assert_int_equal(time_us % US_PER_DAY, 0);
    buf_printf(buf, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
}

static void print_range(const struct when_range *range, struct buf *buf)
{
    static const char *const units[] = {"day", "week", "month", "season", "year", "decade"};
    static const char *const years[] = {"given", "relative", "any"};
    if (buf->len)
        buf_append_text(buf, "; ");
    if (range->from_us != INT64_MIN)
        print_day(range->from_us, buf);
    buf_append_text(buf, "..");
    if (range->until_us != INT64_MAX)
        print_day(range->until_us, buf);
    buf_printf(buf, " %s %s%s", units[range->unit], years[range->year],
               range->is_ambiguous ? " ambiguous" : "");
}

static void expect_ranges(const char *question, const char *wanted)
{
    struct when_range ranges[WHEN_MAX];
    struct buf buf;
    buf_init(&buf, 10000);
    size_t n = when_find(str_of(question), time_of("2026-11-21T09:00:00Z"), NULL, ranges, WHEN_MAX);
    for (size_t i = 0; i < n; i++)
        print_range(&ranges[i], &buf);
    if (strcmp(buf.data ? buf.data : "", wanted) != 0)
        fail_msg("%s\n is  %s\n not %s", question, buf.data ? buf.data : "", wanted);
    buf_done(&buf);
}

static void dates_become_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        expect_ranges(examples[i].question, examples[i].ranges);
}

static struct when_range only_range(const char *question, const char *now, const struct zone *zone)
{
    struct when_range ranges[2];
    assert_int_equal(when_find(str_of(question), time_of(now), zone, ranges, 2), 1);
    return ranges[0];
}

static void place_in_the_question_is_told(void **state)
{
    (void)state;
    const char *question = "Wer kam am 15. Juli 2023, und warum?";
    struct when_range range = only_range(question, "2026-11-21", NULL);
    assert_string_equal(question + range.at, "15. Juli 2023, und warum?");
    assert_int_equal(range.len, strlen("15. Juli 2023"));
    question = "(\xe6\x98\xa8\xe5\xa4\xa9) ok";
    range = only_range(question, "2026-11-21", NULL);
    assert_int_equal(range.at, 1);
    assert_int_equal(range.len, 6);
}

static void days_begin_at_the_midnight_of_the_zone(void **state)
{
    (void)state;
    struct zone *zone = NULL;
    assert_int_equal(zone_new(STR_LIT("Europe/Warsaw"), &zone, NULL), 0);
    struct when_range range = only_range("yesterday", "2026-11-20T23:30:00Z", zone); /* the 21st there */
    assert_true(range.from_us == time_of("2026-11-19T23:00:00Z"));
    assert_true(range.until_us == time_of("2026-11-20T23:00:00Z"));
    range = only_range("on 29 March 2026", "2026-11-20", zone); /* clocks went forward: 23 hours */
    assert_true(range.until_us - range.from_us == US_PER_DAY / 24 * 23);
    zone_free(zone);
}

static void weeks_begin_on_monday_whatever_today_is(void **state)
{
    (void)state;
    for (int day = 16; day <= 22; day++) {
        char now[] = "2026-11-16";
        now[8] = (char)('0' + day / 10);
        now[9] = (char)('0' + day % 10);
        assert_true(only_range("last week", now, NULL).from_us == time_of("2026-11-09"));
        assert_true(only_range("this week", now, NULL).from_us == time_of("2026-11-16"));
    }
    assert_true(only_range("last Monday", "2026-11-16", NULL).from_us == time_of("2026-11-09"));
    assert_true(only_range("on Monday", "2026-11-16", NULL).from_us == time_of("2026-11-16"));
}

static void date_without_a_year_is_the_last_that_has_begun(void **state)
{
    (void)state;
    assert_true(only_range("in May", "2026-05-01", NULL).from_us == time_of("2026-05-01"));
    assert_true(only_range("in May", "2026-04-30", NULL).from_us == time_of("2025-05-01"));
    assert_true(only_range("last May", "2026-05-31", NULL).from_us == time_of("2025-05-01"));
    assert_true(only_range("this winter", "2026-02-01", NULL).from_us == time_of("2025-12-01"));
    assert_true(only_range("on 29 February", "2027-01-01", NULL).from_us == time_of("2024-02-29"));
}

static void months_ago_end_in_the_month_that_is_meant(void **state)
{
    (void)state;
    assert_true(only_range("one month ago", "2026-03-31", NULL).from_us == time_of("2026-02-01"));
    assert_true(only_range("three months ago", "2026-01-31", NULL).from_us == time_of("2025-10-01"));
    struct when_range range = only_range("in the past two months", "2026-04-30", NULL);
    assert_true(range.from_us == time_of("2026-02-28") && range.until_us == time_of("2026-05-01"));
}

static void distance_is_nothing_inside_and_grows_outside(void **state)
{
    (void)state;
    struct when_range range = only_range("on 15 July 2023", "2026-11-21", NULL);
    assert_int_equal(when_distance_us(&range, NULL, time_of("2023-07-15")), 0);
    assert_int_equal(when_distance_us(&range, NULL, time_of("2023-07-15T23:59:59Z")), 0);
    assert_true(when_distance_us(&range, NULL, time_of("2023-07-14")) == US_PER_DAY);
    assert_true(when_distance_us(&range, NULL, time_of("2023-07-16")) == 1);
    assert_true(when_distance_us(&range, NULL, INT64_MIN) == INT64_MAX);
    assert_true(when_distance_us(&range, NULL, INT64_MAX) > 200000 * 365 * US_PER_DAY);
    range = only_range("before May 2023", "2026-11-21", NULL);
    assert_int_equal(when_distance_us(&range, NULL, INT64_MIN), 0);
    assert_true(when_distance_us(&range, NULL, time_of("2023-05-02")) > US_PER_DAY);
}

static void any_year_will_do_when_none_is_said(void **state)
{
    (void)state;
    struct when_range range = only_range("in May", "2026-11-21", NULL);
    assert_int_equal(when_distance_us(&range, NULL, time_of("2019-05-31")), 0);
    assert_int_equal(when_distance_us(&range, NULL, time_of("2030-05-01")), 0);
    assert_true(when_distance_us(&range, NULL, time_of("2019-04-29")) == 2 * US_PER_DAY);
    range = only_range("in winter 2022", "2026-11-21", NULL);
    assert_true(when_distance_us(&range, NULL, time_of("2024-01-10")) > 300 * US_PER_DAY);
    range = only_range("in the winter", "2026-11-21", NULL); /* across New Year */
    assert_int_equal(when_distance_us(&range, NULL, time_of("2021-12-02")), 0);
    assert_int_equal(when_distance_us(&range, NULL, time_of("2021-02-02")), 0);
}

static void no_more_ranges_than_there_is_room_for(void **state)
{
    (void)state;
    struct when_range ranges[2] = {{.from_us = 0}, {.from_us = 42}};
    struct str question = STR_LIT("in May, in June, in July, on 7/8/2023");
    assert_int_equal(when_find(question, 0, NULL, ranges, 1), 1);
    assert_int_equal(ranges[1].from_us, 42);
    assert_int_equal(when_find(question, 0, NULL, ranges, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_become_ranges),
        cmocka_unit_test(place_in_the_question_is_told),
        cmocka_unit_test(days_begin_at_the_midnight_of_the_zone),
        cmocka_unit_test(weeks_begin_on_monday_whatever_today_is),
        cmocka_unit_test(date_without_a_year_is_the_last_that_has_begun),
        cmocka_unit_test(months_ago_end_in_the_month_that_is_meant),
        cmocka_unit_test(distance_is_nothing_inside_and_grows_outside),
        cmocka_unit_test(any_year_will_do_when_none_is_said),
        cmocka_unit_test(no_more_ranges_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
