// The document of the API as this server writes it: YAML of which every key and every text is written as JSON would, so
// little of YAML is needed to read it. Anything else is an error, and no guess.

interface Line {
  indent: number;
  text: string;
}

const KEY = /^("(?:[^"\\]|\\.)*"):(?: (.+))?$/;

class Reader {
  private at = 0;
  private readonly lines: Line[];

  constructor(text: string) {
    this.lines = text.split('\n').filter((line) => line.trim()).map((line) => {
      const indent = line.length - line.trimStart().length;
      return { indent, text: line.trim() };
    });
  }

  whole(): unknown {
    const value = this.block(0);
    if (this.at !== this.lines.length) throw new Error(`the document can't be read at "${this.lines[this.at].text}"`);
    return value;
  }

  private line(indent: number): Line | null {
    const line = this.lines[this.at];
    return line && line.indent === indent ? line : null;
  }

  private block(indent: number): unknown {
    const first = this.line(indent);
    if (!first) throw new Error('the document ends too early, or is indented in another way');
    if (first.text.startsWith('- ')) return this.list(indent);
    if (KEY.test(first.text)) return this.map(indent);
    this.at += 1;
    return JSON.parse(first.text);
  }

  private list(indent: number): unknown[] {
    const items: unknown[] = [];
    for (let line = this.line(indent); line?.text.startsWith('- '); line = this.line(indent)) {
      this.lines[this.at] = { indent: indent + 2, text: line.text.slice(2) };
      items.push(this.block(indent + 2));
    }
    return items;
  }

  private map(indent: number): Record<string, unknown> {
    const map: Record<string, unknown> = Object.create(null); // a key may be any text
    for (let line = this.line(indent); line; line = this.line(indent)) {
      const found = KEY.exec(line.text);
      if (!found) break;
      this.at += 1;
      const next = this.lines[this.at];
      if (found[2] !== undefined) map[JSON.parse(found[1])] = JSON.parse(found[2]);
      else map[JSON.parse(found[1])] = next && next.indent > indent ? this.block(next.indent) : null;
    }
    return map;
  }
}

export interface Schema {
  type?: string;
  format?: string;
  description?: string;
  enum?: unknown[];
  default?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  $ref?: string;
}
export interface Parameter extends Schema {
  name: string;
  in: 'path' | 'query' | 'header' | 'body' | 'formData';
  // `required` of a parameter is a boolean, that of a schema a list
  schema?: Schema;
}
export interface Operation {
  method: string;
  path: string;
  summary: string;
  tags: string[];
  access: string | null;
  open: boolean;
  consumes: string[];
  parameters: Parameter[];
}
export interface Document {
  operations: Operation[];
  resolve(schema: Schema | undefined): Schema;
}

interface Written {
  summary?: string;
  tags?: string[];
  'x-access'?: string;
  security?: unknown[];
  consumes?: string[];
  parameters?: Parameter[];
}

export function readDocument(text: string): Document {
  const whole = new Reader(text).whole() as {
    paths: Record<string, Record<string, Written>>;
    definitions: Record<string, Schema>;
  };
  const operations: Operation[] = [];
  for (const [path, methods] of Object.entries(whole.paths)) {
    for (const [method, written] of Object.entries(methods)) {
      operations.push({
        method: method.toUpperCase(),
        path,
        summary: written.summary ?? '',
        tags: written.tags ?? [],
        access: written['x-access'] ?? null,
        open: !written.security?.length,
        consumes: written.consumes ?? [],
        parameters: written.parameters ?? [],
      });
    }
  }
  return {
    operations,
    resolve: (schema) => {
      const name = schema?.$ref?.replace('#/definitions/', '');
      return (name !== undefined ? whole.definitions[name] : schema) ?? {};
    },
  };
}
