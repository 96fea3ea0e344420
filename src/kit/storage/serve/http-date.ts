const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const month = `(?<month>${months.join("|")})`;
const time = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`;
const forms = [
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d\d) ${month} (?<year>\d{4}) ${time} GMT$`),
  new RegExp(String.raw`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d\d)-${month}-(?<year>\d\d) ${time} GMT$`),
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} (?<day>[ 1-9]\d) ${time} (?<year>\d{4})$`),
];

/** The three forms of RFC 9110 §5.6.7, in milliseconds since the epoch; `null` for anything else. */
export function parseHttpDate(text: string): number | null {
  const fields = forms.map((form) => form.exec(text)?.groups).find(Boolean);
  if (!fields) return null;
  const day = Number(fields.day);
  const hour = Number(fields.hour);
  const minute = Number(fields.minute);
  const second = Number(fields.second);
  const date = (year: number) => Date.UTC(year, months.indexOf(fields.month ?? ""), day, hour, minute, second);

  const year = fields.year?.length === 2 ? fullYear(Number(fields.year), date) : Number(fields.year);
  // A day that its month does not have would become one of the next month.
  const hasDay = day > 0 && new Date(Date.UTC(year, months.indexOf(fields.month ?? ""), day)).getUTCDate() === day;
  // The RFC lets a minute have a leap second.
  return hasDay && hour < 24 && minute < 60 && second <= 60 ? date(year) : null;
}

/** Of two digits: this century's, unless that is more than 50 years ahead; then the last century's. */
function fullYear(digits: number, date: (year: number) => number): number {
  const now = new Date();
  const year = Math.floor(now.getUTCFullYear() / 100) * 100 + digits;
  const horizon = new Date(now).setUTCFullYear(now.getUTCFullYear() + 50);
  return date(year) > horizon ? year - 100 : year;
}
