// CSV as spreadsheets write and read it: RFC 4180, and what they make of it where commas are decimal.

// A cell that begins like this is a formula to a spreadsheet, whatever a name may do there: it gets an apostrophe, which
// is taken away again when it comes back. So one that has some already, and would lose one, gets another.
const FORMULA = /^'*[=+\-@\t\r]/;
const GUARDED = /^'+[=+\-@\t\r]/;

function cell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",;\n\r\t]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

export function writeCsv(rows: string[][]): string {
  return rows.map((row) => row.map(cell).join(',') + '\r\n').join('');
}

export interface CsvRow {
  line: number; // where it begins
  cells: string[];
}

// What separates cells: what the first line has most of.
function separatorOf(text: string): string {
  const first = text.slice(0, text.search(/[\r\n]|$/));
  const count = (separator: string) => first.split(separator).length;
  return [';', '\t'].reduce((best, each) => (count(each) > count(best) ? each : best), ',');
}

// Empty lines are none. null: a quoted cell doesn't end.
export function readCsv(given: string): CsvRow[] | null {
  const text = given.replace(/^\uFEFF/, '');
  const separator = separatorOf(text);
  const rows: CsvRow[] = [];
  let cells: string[] = [];
  let now = '';
  let quoted = false;
  let line = 1;
  let begin = 1;
  const endCell = () => {
    cells.push(GUARDED.test(now) ? now.slice(1) : now);
    now = '';
  };
  const endRow = () => {
    endCell();
    if (cells.length > 1 || cells[0] !== '') rows.push({ line: begin, cells });
    cells = [];
    begin = line;
  };
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (c === '\n') line += 1;
    if (quoted) {
      if (c !== '"') now += c;
      else if (text[at + 1] === '"') {
        now += c;
        at += 1;
      } else quoted = false;
    } else if (c === '"' && now === '') quoted = true;
    else if (c === separator) endCell();
    else if (c === '\n') endRow();
    else if (c !== '\r' || text[at + 1] !== '\n') now += c;
  }
  if (quoted) return null;
  if (now !== '' || cells.length) endRow();
  return rows;
}

export function save(name: string, text: string): void {
  // The mark tells spreadsheets that it is UTF-8.
  const url = URL.createObjectURL(new Blob(['\uFEFF', text], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
