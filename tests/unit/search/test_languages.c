/* SPDX-License-Identifier: Apache-2.0
 *
 * What people expect to find in their language, nothing configured: texts of all languages in one index, so
 * that each is a distractor to the others, and queries with the text that must come first.
 */
#include "search_fixture.h"

struct text {
    const char *name, *text;
};

static const struct text texts[] = {
    {"zh cat", "我的猫很可爱,每天早上都要吃鱼"},
    {"zh contract", "房屋租赁合同下个月到期,需要联系房东"},
    {"zh database", "数据库备份每天凌晨两点自动运行"},
    {"zh insurance", "医疗保险的报销材料放在书房的抽屉里"},
    {"zh trip", "去年夏天我们去了北京和上海旅行"},
    {"zh iphone", "妈妈的iPhone手机密码改了"},
    {"zh server", "服务器的内存不足,已经重启三次"},
    {"ja dog", "公園で犬を散歩させた"},
    {"ja cat", "妹は猫が大好きです"},
    {"ja server", "データベースサーバーを再起動した"},
    {"ja insurance", "健康保険証は引き出しの中にある"},
    {"ja tokyo", "来月東京都庁でパスポートを申請する"},
    {"ja coffee", "ｺｰﾋｰ豆を注文しました"},
    {"ja meeting", "会議の議事録を田中さんに送る"},
    {"ko meeting", "오늘 회의에서 예산을 결정했다"},
    {"ko book", "도서관에 책을 반납해야 한다"},
    {"ko insurance", "자동차 보험은 3월에 갱신한다"},
    {"ko project", "프로젝트는 다음 주에 시작합니다"},
    {"ko mother", "어머니께서 김치를 보내 주셨다"},
    {"ko server", "서버가 응답하지 않습니다"},
    {"th cat", "แมวของฉันชอบกินปลา"},
    {"th meeting", "การประชุมวันจันทร์เลื่อนไปเป็นวันพุธ"},
    {"th insurance", "ประกันสุขภาพหมดอายุเดือนหน้า"},
    {"de insurance", "Die Krankenversicherung hat den Beitrag für das nächste Jahr erhöht"},
    {"de notice", "Die Kündigungsfrist der Wohnung beträgt drei Monate"},
    {"de tax", "Der Steuerberater braucht noch die Belege für die Steuererklärung"},
    {"de houses", "Wir haben uns mehrere Häuser in der Nähe angesehen"},
    {"de mueller", "Frau Müller kommt am Freitag zum Essen"},
    {"de ship", "Er arbeitet bei der Donaudampfschifffahrtsgesellschaft"},
    {"de key", "Der Wohnungsschlüssel liegt beim Nachbarn"},
    {"de dog", "Unser Hund bellt, wenn die Katzen der Nachbarin kommen"},
    {"pl book", "Oddałem do biblioteki książkę o historii Krakowa"},
    {"pl turtle", "Mój żółw uciekł z ogrodu"},
    {"pl contract", "Umowa najmu mieszkania kończy się w czerwcu"},
    {"pl invoice", "Proszę wysłać fakturę za telefon do księgowej"},
    {"pl insurance", "Ubezpieczenie samochodu trzeba przedłużyć w marcu"},
    {"pl school", "Dzieci wróciły ze szkoły o trzeciej"},
    {"pl friends", "Spotkałem się z przyjaciółmi w nowej kawiarni"},
    {"ru book", "Вчера я читал интересную книгу о космосе"},
    {"ru insurance", "Страховка на машину заканчивается в мае"},
    {"ru meeting", "Встреча с клиентами перенесена на вторник"},
    {"ru cats", "Наши кошки спят на подоконнике"},
    {"ru tree", "Ёлку купили на рынке"},
    {"uk language", "Вона вивчає українську мову в університеті"},
    {"uk meeting", "Зустріч із клієнтами перенесли на середу"},
    {"uk house", "Ми купили будинок біля річки"},
    {"fr lease", "Le bail de l'appartement se termine au mois d'août"},
    {"fr horses", "Les chevaux mangent du foin dans l'écurie"},
    {"fr invoice", "J'ai envoyé les factures impayées à la comptable"},
    {"fr school", "Les enfants sont à l'école jusqu'à seize heures"},
    {"es houses", "Hemos visitado varias casas en el centro de la ciudad"},
    {"es insurance", "El seguro del coche vence en octubre"},
    {"es birthday", "El cumpleaños de mi hermana es en mayo"},
    {"es songs", "Las canciones de este grupo me gustan mucho"},
    {"it contract", "I contratti di locazione scadono alla fine dell'anno"},
    {"it books", "Ho comprato due libri nella nuova libreria"},
    {"it city", "Le città più belle della regione sono sul lago"},
    {"pt dogs", "Os cachorros correm no quintal da minha avó"},
    {"pt meeting", "A reunião com os clientes foi adiada para segunda"},
    {"pt insurance", "As ações da empresa caíram na bolsa"},
    {"nl bikes", "De fietsen staan in de schuur achter het huis"},
    {"nl insurance", "De zorgverzekering wordt dit jaar duurder"},
    {"nl school", "De kinderen zijn vandaag niet naar school gegaan"},
    {"sv summer", "Vi har hyrt en stuga vid sjön i sommar"},
    {"sv cars", "Bilarna står parkerade på gården"},
    {"sv cat", "Katten sover på soffan hela dagen"},
    {"fi house", "Ostimme talon järven rannalta viime vuonna"},
    {"fi books", "Lapset lukevat kirjoja kirjastossa"},
    {"fi car", "Autossa on uudet renkaat"},
    {"tr books", "Kitapları kütüphaneye geri götürdüm"},
    {"tr house", "Yeni evimizin bahçesi çok güzel"},
    {"tr insurance", "Araba sigortası mart ayında bitiyor"},
    {"ar book", "قرأت الكتاب الجديد عن تاريخ بغداد"},
    {"ar school", "ذهب الأطفال إلى المدرسة صباحا"},
    {"he book", "הספר החדש מונח על השולחן"},
    {"he house", "אנחנו גרים בבית קטן ליד הים"},
    {"hi books", "मैंने पुस्तकालय से तीन किताबें लीं"},
    {"hi cat", "हमारी बिल्ली छत पर सो रही है"},
    {"el book", "Διάβασα ένα βιβλίο για την ιστορία της Αθήνας"},
    {"el houses", "Τα παλιά σπίτια στο νησί είναι άσπρα"},
    {"en lease", "The lease of the apartment ends in August"},
    {"en dogs", "Our dogs were barking at the mailman again"},
    {"en cafe", "We met at the café near the station"},
    {"en run", "She runs ten miles every Sunday morning"},
    {"en naive", "His naïve plan for the garden failed"},
    {"code camel", "getUserName returns null when the session is gone"},
    {"code snake", "raise max_context_tokens in the settings file"},
    {"code timeout", "The job stops with ERR_CONNECTION_TIMEOUT after a minute"},
    {"code e1234", "Build fails: error E1234 in the linker step"},
    {"code e1235", "Build fails: error E1235 in the parser step"},
    {"code hresult", "Windows update failed with 0x80070005"},
    {"code http", "The gateway answered HTTP 404 for the avatar"},
    {"code http5", "The gateway answered HTTP 503 for the upload"},
    {"code path", "Segmentation fault at src/core/json.c:142 in json_read"},
    {"code path2", "Leak reported at src/core/yaml.c:77 in yaml_open"},
    {"code uuid", "Order 550e8400-e29b-41d4-a716-446655440000 was refunded"},
    {"code ip", "Route 192.168.17.23 through the second switch"},
    {"code version", "Upgrade libfoo to version 2.14.7 before Friday"},
    {"code vtag", "Tagged v3.9.0-rc1 yesterday"},
    {"code cpp", "The parser is written in C++ and tested well"},
    {"code csharp", "The desktop client is written in C# and slow"},
    {"code mail", "Ask bob.smith@example.org about the invoice run"},
    {"code hash", "Bisect points at 3f2a9c81d7e4b6a5c0d1e2f3a4b5c6d7e8f90a1b"},
    {"code kebab", "Set the header to no-cache-please on every reply"},
    {"code header", "HTTPServerFactory leaks one socket a request"},
    {"code exception", "java.lang.NullPointerException thrown by OrderService"},
    {"code flag", "Start it with --enable-tracing to see the spans"},
};

struct question {
    const char *query, *wanted;
};

static const struct question questions[] = {
    {"我的猫", "zh cat"}, /* one character, between particles */
    {"合同到期", "zh contract"},
    {"租赁", "zh contract"},
    {"备份", "zh database"},
    {"医疗保险", "zh insurance"},
    {"北京旅行", "zh trip"},
    {"ＩＰＨＯＮＥ密码", "zh iphone"}, /* full width */
    {"服务器重启", "zh server"},
    {"犬", "ja dog"},
    {"猫が好き", "ja cat"},
    {"データベース", "ja server"},
    {"ﾃﾞｰﾀﾍﾞｰｽ", "ja server"}, /* half width */
    {"サーバ", "ja server"},   /* without its long vowel */
    {"保険証", "ja insurance"},
    {"東京", "ja tokyo"},
    {"コーヒー", "ja coffee"},
    {"田中さんの議事録", "ja meeting"},
    {"회의", "ko meeting"},   /* the text has a particle behind it */
    {"예산은", "ko meeting"}, /* and another one */
    {"책", "ko book"},
    {"보험", "ko insurance"},
    {"프로젝트를 언제 시작", "ko project"},
    {"어머니", "ko mother"},
    {"서버는", "ko server"},
    {"แมว", "th cat"},
    {"ประชุม", "th meeting"},
    {"ประกัน", "th insurance"},
    {"Versicherung", "de insurance"}, /* a part of a compound */
    {"Krankenversicherungen", "de insurance"},
    {"Beiträge der Krankenkasse", "de insurance"},
    {"Kündigung Frist", "de notice"},
    {"kuendigungsfrist", "de notice"},
    {"Kundigungsfrist", "de notice"},
    {"Steuer", "de tax"},
    {"Erklärung Steuern", "de tax"},
    {"Haus", "de houses"},
    {"Mueller", "de mueller"},
    {"Muller", "de mueller"},
    {"MÜLLER", "de mueller"},
    {"Gesellschaften", "de ship"},
    {"Schlüssel", "de key"},
    {"Schlüssel der Wohnung", "de key"},
    {"Katze", "de dog"},
    {"Hunde", "de dog"},
    {"książka", "pl book"},
    {"książki", "pl book"},
    {"książek", "pl book"},
    {"ksiazki", "pl book"}, /* without diacritics */
    {"zolw", "pl turtle"},
    {"żółwie", "pl turtle"},
    {"umowy", "pl contract"},
    {"mieszkanie", "pl contract"},
    {"faktura", "pl invoice"},
    {"faktury za telefony", "pl invoice"},
    {"ubezpieczenia", "pl insurance"},
    {"samochody", "pl insurance"},
    {"szkoła", "pl school"},
    {"szkole", "pl school"},
    {"przyjaciół", "pl friends"},
    {"nowa kawiarnia", "pl friends"},
    {"книга", "ru book"},
    {"книги", "ru book"},
    {"страховки", "ru insurance"},
    {"встречи с клиентом", "ru meeting"},
    {"кошка", "ru cats"},
    {"елка", "ru tree"}, /* е for ё */
    {"мова", "uk language"},
    {"університет", "uk language"},
    {"зустрічі клієнтів", "uk meeting"},
    {"будинки", "uk house"},
    {"appartements", "fr lease"},
    {"août", "fr lease"},
    {"ecurie", "fr horses"},
    {"facture impayée", "fr invoice"},
    {"école", "fr school"},
    {"casa", "es houses"},
    {"ciudades", "es houses"},
    {"seguros de coches", "es insurance"},
    {"cumpleanos", "es birthday"},
    {"canción", "es songs"},
    {"contratto", "it contract"},
    {"libro", "it books"},
    {"citta", "it city"},
    {"cachorro", "pt dogs"},
    {"reuniões", "pt meeting"},
    {"ação", "pt insurance"},
    {"fiets", "nl bikes"},
    {"verzekering", "nl insurance"},
    {"kinderen op scholen", "nl school"},
    {"stugor", "sv summer"},
    {"bil", "sv cars"},
    {"katter", "sv cat"},
    {"talossa", "fi house"},
    {"kirja", "fi books"},
    {"auto", "fi car"},
    {"kitap", "tr books"},
    {"ev", "tr house"},
    {"arabalar", "tr insurance"},
    {"كتاب", "ar book"}, /* without the article */
    {"مدرسة", "ar school"},
    {"ספר", "he book"},
    {"שולחן", "he book"},
    {"בית", "he house"},
    {"किताब", "hi books"},
    {"बिल्ली", "hi cat"},
    {"Αθήνα", "el book"},
    {"ιστορια", "el book"}, /* without the accent */
    {"σπίτι", "el houses"},
    {"leases", "en lease"},
    {"barking dog", "en dogs"},
    {"cafe", "en cafe"},
    {"running on Sundays", "en run"},
    {"naive", "en naive"},
    {"getUserName", "code camel"},
    {"user name", "code camel"},
    {"max_context_tokens", "code snake"},
    {"context tokens", "code snake"},
    {"ERR_CONNECTION_TIMEOUT", "code timeout"},
    {"connection timeout", "code timeout"},
    {"E1234", "code e1234"},
    {"e1235", "code e1235"},
    {"0x80070005", "code hresult"},
    {"80070005", "code hresult"},
    {"HTTP 404", "code http"},
    {"HTTP 503", "code http5"},
    {"json.c:142", "code path"},
    {"json.c", "code path"},
    {"src/core/yaml.c", "code path2"},
    {"550e8400-e29b-41d4-a716-446655440000", "code uuid"},
    {"550e8400", "code uuid"},
    {"192.168.17.23", "code ip"},
    {"192.168.17", "code ip"},
    {"2.14.7", "code version"},
    {"libfoo 2.14", "code version"},
    {"3.9.0", "code vtag"},
    {"C++", "code cpp"},
    {"c#", "code csharp"},
    {"bob.smith@example.org", "code mail"},
    {"bob smith", "code mail"},
    {"example.org", "code mail"},
    {"3f2a9c8", "code hash"},
    {"3f2a9c81d7e4", "code hash"},
    {"no-cache-please", "code kebab"},
    {"HTTPServer", "code header"},
    {"server factory", "code header"},
    {"NullPointerException", "code exception"},
    {"null pointer", "code exception"},
    {"--enable-tracing", "code flag"},
};

struct world {
    struct rows rows;
    struct search *search;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    rows_init(&world->rows);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_true(strlen(texts[i].text) < sizeof(world->rows.items[0].text));
        rows_put(&world->rows, 0, "u", texts[i].text);
    }
    world->search = make_search_in(&world->rows, 0, "auto");
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    search_free(world->search);
    rows_done(&world->rows);
    free(world);
    return 0;
}

static const char *first_found(struct world *world, const char *query)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX / 2);
    struct answer answer = ask(world->search, query_of("u", query), &arena);
    const char *name = answer.n ? texts[answer.hits[0].row - 1].name : "nothing";
    arena_done(&arena);
    return name;
}

static void queries_find_what_is_expected_first(void **state)
{
    size_t n_wrong = 0;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        const char *found = first_found(*state, questions[i].query);
        if (strcmp(found, questions[i].wanted) == 0)
            continue;
        print_error("%s: %s, not %s\n", questions[i].query, found, questions[i].wanted);
        n_wrong++;
    }
    assert_int_equal(n_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_find_what_is_expected_first),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
