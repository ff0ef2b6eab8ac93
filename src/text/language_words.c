/* SPDX-License-Identifier: Apache-2.0
 *
 * Words that say nothing about what a text is about, but in which language it is: folded, without diacritics,
 * in byte order, each with the languages that have it. English has a longer list of its own (stop_words.c).
 */
#include "text/language_priv.h"
#include "text/text_priv.h"

#include <stdlib.h>

#define MAX_WORD_BYTES 16

#define WEAK (1u << LANGUAGE_UNKNOWN)
#define DE   (1u << LANGUAGE_GERMAN)
#define NL   (1u << LANGUAGE_DUTCH)
#define SV   (1u << LANGUAGE_SWEDISH)
#define DA   (1u << LANGUAGE_DANISH)
#define NO   (1u << LANGUAGE_NORWEGIAN)
#define FI   (1u << LANGUAGE_FINNISH)
#define FR   (1u << LANGUAGE_FRENCH)
#define ES   (1u << LANGUAGE_SPANISH)
#define IT   (1u << LANGUAGE_ITALIAN)
#define PT   (1u << LANGUAGE_PORTUGUESE)
#define RO   (1u << LANGUAGE_ROMANIAN)
#define PL   (1u << LANGUAGE_POLISH)
#define TR   (1u << LANGUAGE_TURKISH)
#define HU   (1u << LANGUAGE_HUNGARIAN)
#define RU   (1u << LANGUAGE_RUSSIAN)
#define UK   (1u << LANGUAGE_UKRAINIAN)

struct common_word {
    const char *text;
    uint32_t languages;
};

/* clang-format off */
static const struct common_word common_words[] = {
    {"a", WEAK | FR | PT | PL | HU}, {"aan", NL}, {"aber", DE}, {"aceasta", RO}, {"acest", RO},
    {"af", WEAK | DA}, {"agli", IT}, {"ai", WEAK | IT}, {"al", WEAK | NL | ES | IT | RO},
    {"ale", WEAK | RO | PL}, {"alla", IT}, {"alle", IT}, {"allo", IT}, {"als", WEAK | DE | NL},
    {"am", WEAK | DE}, {"ama", TR}, {"an", WEAK | DE}, {"anche", IT}, {"ao", WEAK | PT}, {"aos", PT},
    {"ar", WEAK | SV}, {"are", RO}, {"as", WEAK | PT}, {"at", WEAK | DA | NO}, {"ate", PT}, {"att", SV},
    {"au", WEAK | FR | RO}, {"auch", DE}, {"auf", DE}, {"aus", DE}, {"aussi", FR}, {"aux", WEAK | FR},
    {"av", WEAK | SV | NO}, {"avait", FR}, {"avea", RO}, {"avec", FR}, {"aveva", IT}, {"az", WEAK | HU},
    {"azt", HU}, {"be", WEAK | HU}, {"bedzie", PL}, {"bei", DE}, {"beim", DE}, {"ben", WEAK | TR},
    {"benim", TR}, {"bij", NL}, {"bir", WEAK | TR}, {"bis", DE}, {"biz", TR}, {"ble", NO},
    {"blev", SV | DA}, {"blir", SV | NO}, {"bliver", DA}, {"bu", WEAK | TR}, {"byl", PL}, {"byla", PL},
    {"bylo", PL}, {"byly", PL}, {"c", WEAK | FR}, {"cand", RO}, {"care", WEAK | RO}, {"ce", WEAK | FR | RO},
    {"ces", FR}, {"cet", FR}, {"cette", FR}, {"che", IT}, {"chez", FR}, {"chi", IT}, {"ci", WEAK | IT},
    {"cine", RO}, {"co", WEAK | PL}, {"cok", TR}, {"com", PT}, {"come", WEAK | IT}, {"comme", FR},
    {"comment", FR}, {"como", ES | PT}, {"con", WEAK | ES | IT}, {"cosa", IT}, {"csak", HU},
    {"cu", WEAK | RO}, {"cual", ES}, {"cuando", ES}, {"cum", RO}, {"czy", PL}, {"d", WEAK | FR | IT},
    {"da", WEAK | IT | PT | TR}, {"daha", TR}, {"dal", WEAK | IT}, {"dalla", IT}, {"dan", WEAK | NL},
    {"dans", FR}, {"dar", WEAK | RO}, {"das", DE | PT}, {"dass", DE}, {"dat", NL},
    {"de", WEAK | NL | SV | DA | NO | FR | ES | PT | RO | TR | HU}, {"degil", TR}, {"degli", IT},
    {"dei", IT}, {"del", WEAK | ES | IT}, {"della", IT}, {"delle", IT}, {"dello", IT}, {"dem", WEAK | DE},
    {"den", WEAK | DE | SV | DA | NO}, {"denna", SV}, {"denne", DA | NO}, {"der", DE},
    {"des", WEAK | DE | FR}, {"desde", ES | PT}, {"despre", RO}, {"dessa", SV},
    {"det", WEAK | SV | DA | NO}, {"detta", SV}, {"dette", DA | NO}, {"deze", NL}, {"di", WEAK | IT},
    {"die", WEAK | DE | NL}, {"din", RO}, {"disse", DA | NO}, {"dit", WEAK | NL}, {"dla", PL},
    {"dlaczego", PL}, {"do", WEAK | PT | PL}, {"donde", ES}, {"door", NL}, {"dos", WEAK | PT}, {"dove", IT},
    {"du", WEAK | DE | SV | DA | NO | FR}, {"durch", DE}, {"e", WEAK | ES | IT | PT}, {"ea", WEAK | RO},
    {"ed", WEAK | IT}, {"een", NL}, {"efter", SV | DA}, {"egy", HU}, {"ei", WEAK | NO | FI | RO},
    {"ein", DE}, {"eine", DE}, {"einem", DE}, {"einen", DE}, {"einer", DE}, {"eines", DE},
    {"el", WEAK | ES | RO | HU}, {"ela", PT}, {"elas", PT}, {"ele", PT | RO}, {"eles", PT}, {"ella", ES},
    {"elle", FR}, {"eller", SV | DA | NO}, {"elles", FR}, {"ellos", ES}, {"em", WEAK | PT},
    {"en", WEAK | NL | SV | DA | NO | FR | ES | TR | HU}, {"ennen", FI}, {"entre", ES | PT},
    {"er", WEAK | DE | NL | DA | NO}, {"era", WEAK | ES | IT | PT | RO}, {"eram", PT}, {"eran", ES},
    {"erano", IT}, {"erau", RO}, {"es", WEAK | DE | ES | HU}, {"esa", ES}, {"ese", ES}, {"esse", PT},
    {"essere", IT}, {"est", WEAK | FR}, {"esta", ES | PT}, {"estan", ES}, {"estao", PT},
    {"este", ES | PT | RO}, {"estos", ES}, {"et", WEAK | DA | NO | FR}, {"etaient", FR}, {"etait", FR},
    {"ett", SV}, {"etta", FI}, {"etter", NO}, {"eu", WEAK | PT | RO}, {"ez", WEAK | HU}, {"ezt", HU},
    {"fara", RO}, {"fel", HU}, {"fi", WEAK | RO}, {"foi", PT}, {"for", WEAK | SV | DA | NO}, {"fore", SV},
    {"fost", RO}, {"fra", DA | NO}, {"fran", SV}, {"fu", WEAK | IT}, {"fue", ES}, {"fur", WEAK | DE},
    {"gdzie", PL}, {"geen", NL}, {"gennem", DA}, {"genom", SV}, {"gibi", TR}, {"gjennom", NO}, {"gli", IT},
    {"ha", WEAK | ES | IT | HU}, {"haar", NL}, {"habe", DE}, {"haben", DE}, {"habia", ES},
    {"had", WEAK | NL}, {"hadde", NO}, {"hade", SV}, {"han", WEAK | SV | DA | NO | FI | ES}, {"hanen", FI},
    {"hangi", TR}, {"hanno", IT}, {"har", SV | DA | NO}, {"hasta", ES}, {"hat", WEAK | DE}, {"hatte", DE},
    {"havde", DA}, {"he", WEAK | FI}, {"hebben", NL}, {"heeft", NL}, {"her", TR}, {"het", WEAK | NL},
    {"hij", NL}, {"hogy", HU}, {"hol", HU}, {"hon", WEAK | SV}, {"hun", DA | NO}, {"hva", NO}, {"hvad", DA},
    {"hvem", DA | NO}, {"hvilken", DA | NO}, {"hvor", DA | NO}, {"hvorfor", DA | NO}, {"hvornar", DA},
    {"i", WEAK | SV | DA | NO | IT | PL}, {"ich", DE | PL}, {"icin", TR}, {"ihr", DE}, {"ihre", DE},
    {"ik", WEAK | NL}, {"ikke", DA | NO}, {"il", WEAK | FR | IT}, {"ile", TR}, {"ilman", FI}, {"ils", FR},
    {"im", WEAK | DE}, {"in", WEAK | DE | NL | IT | RO}, {"inga", SV}, {"ingen", SV | DA | NO},
    {"inte", SV}, {"intre", RO}, {"io", WEAK | IT}, {"is", WEAK | NL | HU}, {"isso", PT}, {"ist", DE},
    {"j", WEAK | FR}, {"ja", WEAK | FI | PT | PL}, {"jag", SV}, {"jak", WEAK | PL}, {"jalkeen", FI},
    {"je", WEAK | NL | FR}, {"jeg", DA | NO}, {"jego", PL}, {"jej", PL}, {"jest", PL}, {"jij", NL},
    {"joka", FI}, {"jos", FI}, {"jotka", FI}, {"juz", PL}, {"kadar", TR}, {"kan", WEAK | NL | SV | DA | NO},
    {"kann", DE}, {"kanssa", FI}, {"kein", DE}, {"keine", DE}, {"ki", WEAK | HU}, {"kiedy", PL},
    {"kim", WEAK | TR}, {"kto", PL}, {"ktora", PL}, {"ktore", PL}, {"ktory", PL}, {"kuin", FI},
    {"kuka", FI}, {"kun", FI}, {"l", WEAK | FR | IT}, {"la", WEAK | FR | ES | IT | RO}, {"las", WEAK | ES},
    {"le", WEAK | FR | ES | IT | HU}, {"lei", WEAK | IT}, {"les", FR | ES}, {"lesz", HU}, {"leur", FR},
    {"lhe", PT}, {"lo", WEAK | ES | IT}, {"lor", RO}, {"loro", IT}, {"los", WEAK | ES}, {"lub", PL},
    {"lui", WEAK | IT | RO}, {"ma", WEAK | FR | IT | PL}, {"maar", NL}, {"mai", WEAK | RO},
    {"mais", FR | PT}, {"maja", PL}, {"man", WEAK | DE}, {"mar", HU}, {"mas", ES | PT},
    {"me", WEAK | FI | ES | PT}, {"mea", RO}, {"med", SV | DA | NO}, {"meg", HU}, {"mein", DE},
    {"meine", DE}, {"meinen", DE}, {"meiner", DE}, {"melyik", HU}, {"men", WEAK | SV | DA | NO},
    {"mes", FR}, {"met", WEAK | NL}, {"meu", PT | RO}, {"mi", WEAK | ES | TR | HU}, {"mia", IT},
    {"mial", PL}, {"miei", IT}, {"miert", HU}, {"mijn", NL}, {"mika", FI}, {"mikor", HU}, {"miksi", FI},
    {"milloin", FI}, {"min", WEAK | SV | DA | NO}, {"mina", SV | FI}, {"mine", WEAK | DA | NO},
    {"minha", PT}, {"mint", HU}, {"minun", FI}, {"mio", IT}, {"mis", ES}, {"missa", FI},
    {"mit", WEAK | DE | DA | HU}, {"mita", FI}, {"mitt", SV | NO}, {"moj", PL}, {"moja", PL}, {"moje", PL},
    {"mon", FR}, {"mu", WEAK | TR}, {"muito", PT}, {"mutta", FI}, {"muy", WEAK | ES}, {"my", WEAK | PL},
    {"myos", FI}, {"n", WEAK | FR}, {"na", WEAK | PT | PL}, {"naar", NL}, {"nach", DE}, {"nad", WEAK | PL},
    {"nama", FI}, {"nao", PT}, {"nar", SV | NO}, {"nas", PT}, {"nasil", TR},
    {"ne", WEAK | FI | FR | IT | TR}, {"neden", TR}, {"nei", IT}, {"nekem", HU}, {"nel", IT}, {"nella", IT},
    {"nelle", IT}, {"nello", IT}, {"nem", HU}, {"nerede", TR}, {"ni", WEAK | SV}, {"nicht", DE},
    {"nie", PL}, {"niet", NL}, {"niin", FI}, {"no", WEAK | ES | PT}, {"noch", DE}, {"nog", WEAK | NL},
    {"noi", WEAK | IT | RO}, {"non", WEAK | IT}, {"nos", WEAK | PT}, {"nosotros", ES}, {"notre", FR},
    {"nous", FR}, {"nu", WEAK | RO}, {"nuestro", ES}, {"nur", DE}, {"nyt", FI},
    {"o", WEAK | ES | IT | PT | RO | PL | TR | HU}, {"och", SV}, {"ocksa", SV}, {"od", WEAK | PL},
    {"oder", DE}, {"of", WEAK | NL}, {"og", WEAK | DA | NO}, {"ogsa", DA | NO}, {"ok", WEAK | HU},
    {"olan", TR}, {"olarak", TR}, {"ole", WEAK | FI}, {"oli", FI}, {"olivat", FI},
    {"om", WEAK | NL | SV | DA | NO}, {"on", WEAK | FI | PL}, {"ona", WEAK | PL}, {"onde", PT},
    {"onder", NL}, {"oni", PL}, {"onlar", TR}, {"ono", PL}, {"ons", NL}, {"ont", FR}, {"onun", TR},
    {"onze", NL}, {"ook", NL}, {"op", WEAK | NL}, {"oraz", PL}, {"os", WEAK | PT}, {"ou", WEAK | FR | PT},
    {"ovat", FI}, {"over", WEAK | NL | SV | DA | NO}, {"pa", WEAK | SV | DA | NO}, {"par", WEAK | FR},
    {"para", ES | PT}, {"pas", WEAK | FR}, {"pe", WEAK | RO}, {"pentru", RO}, {"per", WEAK | IT},
    {"perche", IT}, {"pero", ES}, {"piu", IT}, {"plus", WEAK | FR}, {"po", WEAK | PL}, {"pod", WEAK | PL},
    {"por", ES | PT}, {"porque", ES | PT}, {"pour", WEAK | FR}, {"pourquoi", FR}, {"prin", RO},
    {"przed", PL}, {"przez", PL}, {"qu", WEAK | FR}, {"qual", PT}, {"quale", IT}, {"quand", FR},
    {"quando", IT | PT}, {"que", FR | ES | PT}, {"quel", FR}, {"quelle", FR}, {"quelles", FR},
    {"quello", IT}, {"quels", FR}, {"quem", PT}, {"questa", IT}, {"questo", IT}, {"qui", FR}, {"quien", ES},
    {"quoi", FR}, {"s", WEAK | FR}, {"sa", WEAK | FR | RO | PL}, {"sao", PT}, {"sau", RO}, {"schon", DE},
    {"se", WEAK | FI | FR | ES | IT | PT | RO}, {"sein", DE}, {"seine", DE}, {"seit", DE}, {"sem", PT},
    {"sen", TR}, {"senin", TR}, {"ser", WEAK | ES | PT}, {"sera", WEAK | FR}, {"ses", FR}, {"seu", PT},
    {"si", WEAK | FR | ES | IT | RO}, {"sich", DE}, {"sie", DE | PL}, {"sin", WEAK | SV | DA | NO | ES},
    {"sina", SV | FI}, {"sind", DE}, {"sine", DA | NO}, {"sinun", FI}, {"sit", DA}, {"sitt", SV | NO},
    {"siz", TR}, {"ska", WEAK | SV}, {"skal", DA | NO}, {"so", WEAK | DE}, {"sobre", ES | PT},
    {"som", SV | DA | NO}, {"son", WEAK | FR | ES}, {"sono", IT}, {"sont", FR}, {"sous", FR},
    {"su", WEAK | ES | IT | TR}, {"sua", WEAK | IT | PT}, {"sul", IT}, {"sulla", IT}, {"sunt", RO},
    {"suo", IT}, {"sur", WEAK | FR}, {"sus", ES}, {"ta", WEAK | PL}, {"tai", FI}, {"tama", FI},
    {"tambem", PT}, {"tambien", ES}, {"te", WEAK | NL | FI | ES | PL | HU}, {"tego", PL}, {"tej", PL},
    {"tem", PT}, {"ten", WEAK | PL}, {"tez", PL}, {"ti", WEAK | HU}, {"til", DA | NO}, {"till", SV},
    {"tinha", PT}, {"to", WEAK | PL}, {"ton", WEAK | FR}, {"tot", WEAK | NL},
    {"tu", WEAK | FR | ES | IT | PT | RO}, {"tuo", FI}, {"ty", WEAK | PL}, {"tych", PL}, {"tylko", PL},
    {"tym", PL}, {"u", WEAK | PL}, {"uber", DE}, {"uit", NL}, {"um", WEAK | DE | PT}, {"uma", WEAK | PT},
    {"umas", PT}, {"un", WEAK | FR | ES | IT | RO}, {"una", ES | IT}, {"unas", ES}, {"und", DE},
    {"unde", RO}, {"under", WEAK | SV | DA | NO}, {"une", WEAK | FR}, {"unei", RO}, {"uno", IT},
    {"unos", ES}, {"uns", PT}, {"unser", DE}, {"unter", DE}, {"unui", RO}, {"vad", SV}, {"vagy", HU},
    {"vain", FI}, {"van", WEAK | NL | HU}, {"vannak", HU}, {"var", WEAK | SV | DA | NO | TR},
    {"varfor", SV}, {"ve", WEAK | TR}, {"ved", DA | NO}, {"vem", SV}, {"veya", TR},
    {"vi", WEAK | SV | DA | NO}, {"vid", SV}, {"vilken", SV}, {"voi", WEAK | IT | RO}, {"volt", HU},
    {"vom", DE}, {"von", DE}, {"voor", NL}, {"vor", DE}, {"votre", FR}, {"vous", FR}, {"w", WEAK | PL},
    {"waar", NL}, {"waarom", NL}, {"wann", DE}, {"wanneer", NL}, {"war", WEAK | DE}, {"waren", DE | NL},
    {"warum", DE}, {"was", WEAK | DE | NL}, {"wat", NL}, {"we", WEAK | NL | PL}, {"welche", DE},
    {"welcher", DE}, {"welches", DE}, {"welke", NL}, {"wenn", DE}, {"wer", DE}, {"werd", NL},
    {"werden", DE}, {"wie", DE | NL}, {"wij", NL}, {"wir", DE}, {"wird", DE}, {"wo", WEAK | DE},
    {"worden", NL}, {"wordt", NL}, {"wurde", DE}, {"wurden", DE}, {"wy", WEAK | PL}, {"y", WEAK | FR | ES},
    {"ya", WEAK | ES}, {"yo", WEAK | ES}, {"yok", TR}, {"z", WEAK | PL}, {"za", WEAK | PL},
    {"ze", WEAK | NL | PL}, {"zij", NL}, {"zijn", NL}, {"zu", WEAK | DE}, {"zum", DE}, {"zur", DE},
    {"zwischen", DE}, {"а", RU | UK}, {"або", UK}, {"але", UK}, {"без", RU | UK}, {"був", UK}, {"була", UK},
    {"були", UK}, {"було", UK}, {"бути", UK}, {"бы", RU}, {"был", RU}, {"была", RU}, {"были", RU},
    {"было", RU}, {"быть", RU}, {"в", RU | UK}, {"вас", RU | UK}, {"ви", UK}, {"во", RU}, {"вона", UK},
    {"вот", RU}, {"все", RU | UK}, {"вы", RU}, {"від", UK}, {"він", UK}, {"где", RU}, {"да", RU},
    {"даже", RU}, {"де", UK}, {"для", RU | UK}, {"до", RU | UK}, {"его", RU}, {"ее", RU}, {"ему", RU},
    {"если", RU}, {"есть", RU}, {"еще", RU}, {"ж", UK}, {"же", RU}, {"з", UK}, {"за", RU | UK}, {"зі", UK},
    {"и", RU}, {"из", RU}, {"или", RU}, {"их", RU}, {"й", UK}, {"його", UK}, {"йому", UK}, {"к", RU},
    {"как", RU}, {"какая", RU}, {"какие", RU}, {"какой", RU}, {"когда", RU}, {"коли", UK}, {"кто", RU},
    {"ли", RU}, {"мене", UK}, {"меня", RU}, {"мені", UK}, {"ми", UK}, {"мне", RU}, {"мы", RU},
    {"на", RU | UK}, {"навіть", UK}, {"над", RU | UK}, {"не", RU | UK}, {"нет", RU}, {"ни", RU}, {"но", RU},
    {"ну", RU}, {"ні", UK}, {"о", RU | UK}, {"он", RU}, {"она", RU}, {"от", RU}, {"по", RU | UK},
    {"под", RU}, {"при", RU | UK}, {"про", RU | UK}, {"під", UK}, {"с", RU}, {"со", RU}, {"та", UK},
    {"так", RU | UK}, {"ти", UK}, {"то", RU | UK}, {"только", RU}, {"ты", RU}, {"тільки", UK},
    {"у", RU | UK}, {"хто", UK}, {"це", UK}, {"цей", UK}, {"ця", UK}, {"ці", UK}, {"чем", RU}, {"чи", UK},
    {"что", RU}, {"ще", UK}, {"що", UK}, {"эта", RU}, {"эти", RU}, {"это", RU}, {"этот", RU},
    {"я", RU | UK}, {"як", UK}, {"яка", UK}, {"який", UK}, {"якщо", UK}, {"які", UK}, {"є", UK}, {"і", UK},
    {"із", UK}, {"їх", UK}, {"її", UK},
};
/* clang-format on */

static int compare_with_word(const void *key, const void *element)
{
    return words_compare(*(const struct str *)key, ((const struct common_word *)element)->text);
}

uint32_t language_words_find(struct str word)
{
    uint32_t english = stop_words_has_english(word) ? 1u << LANGUAGE_ENGLISH : 0;
    if (word.len > MAX_WORD_BYTES)
        return english;
    const struct common_word *found =
        bsearch(&word, common_words, sizeof(common_words) / sizeof(common_words[0]), sizeof(common_words[0]),
                compare_with_word);
    return found ? found->languages | english : english;
}
