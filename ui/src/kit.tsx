// The pieces that screens are made of. Texts become text nodes and nothing else: this page never makes HTML of what it is told.
import { Fragment, h, type ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Failure, knownOf, may } from './api';
import { locale, t, type Text } from './texts';

// The state of something that is asked for. While it is asked for anew, what was there stays; `begin` is what is there
// already.
export interface Asked<Answer> {
  answer?: Answer;
  failure?: unknown;
  loading: boolean;
  again(): void;
}

export function useAsked<Answer>(ask: (signal: AbortSignal) => Promise<Answer>, inputs: unknown[], begin?: () => Answer | undefined): Asked<Answer> {
  const [state, set] = useState<{ answer?: Answer; failure?: unknown; loading: boolean; asked: string }>(() => ({ answer: begin?.(), loading: true, asked: '' }));
  const [times, setTimes] = useState(0);
  const key = JSON.stringify(inputs);
  // Before it is painted: requests don't wait for that.
  useLayoutEffect(() => {
    const aborting = new AbortController();
    set((before) => ({ ...before, loading: true, failure: before.asked === key ? before.failure : undefined, asked: key }));
    ask(aborting.signal).then(
      (answer) => !aborting.signal.aborted && set({ answer, loading: false, asked: key }),
      (failure) => !aborting.signal.aborted && set((before) => ({ ...before, failure, loading: false })),
    );
    return () => aborting.abort();
  }, [key, times]);
  // A server that was away is asked again by itself.
  useEffect(() => {
    if (!(state.failure instanceof Failure && state.failure.away)) return;
    const later = setTimeout(() => setTimes((n) => n + 1), 2000);
    return () => clearTimeout(later);
  }, [state.failure]);
  return { ...state, again: () => setTimes((n) => n + 1) };
}

export type Allowed = Record<string, boolean>;
// What the visitor may do; undefined until that is known.
export function useMay(accesses: string[]): Allowed | undefined {
  return useAsked(() => may(accesses), accesses, () => knownOf(accesses)).answer;
}

export function useDelayed<Value>(value: Value, ms: number): Value {
  const [shown, set] = useState(value);
  useEffect(() => {
    const later = setTimeout(() => set(value), ms);
    return () => clearTimeout(later);
  }, [value]);
  return shown;
}

// What is searched for as one types, and the page of what is found.
export interface Searched {
  text: string;
  wanted: string; // once the typing pauses
  type(text: string): void;
  from: number;
  go(from: number): void;
}

export function useSearch(begin = '', keep?: (text: string) => void): Searched {
  const [text, setText] = useState(begin);
  const [from, go] = useState(0);
  const type = (typed: string) => {
    keep?.(typed);
    setText(typed);
    go(0);
  };
  return { text, wanted: useDelayed(text.trim(), 200), type, from, go };
}

// again: is it asked again by itself?
export function sentence(failure: unknown, again = false): string {
  if (!(failure instanceof Failure)) return String(failure);
  if (failure.away) return again ? t('The server can’t be reached. Trying again…') : t('The server can’t be reached. Try again later.');
  if (failure.forbidden) return t('You may not see this.');
  if (failure.status === 404) return t('This doesn’t exist, or you may not see it.');
  return failure.message || t('The server answered {status}.', { status: failure.status });
}

export function State({ of, children }: { of: Asked<unknown>; children?: ComponentChildren }) {
  if (of.failure !== undefined && of.failure !== null) return <p class="notice bad" role="alert">{sentence(of.failure, true)}</p>;
  if (of.answer === undefined) return <p class="quiet" role="status">{t('Loading…')}</p>;
  return <>{children}</>;
}

export function Heading({ title, children }: { title: string; children?: ComponentChildren }) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · wazo-auth`;
  }, [title]);
  // Whoever listens to the page hears where it is now.
  useEffect(() => ref.current?.focus(), []);
  return <div class="heading"><h1 ref={ref} tabIndex={-1}>{title}</h1>{children}</div>;
}

export function Part({ title, children, aside }: { title: string; children?: ComponentChildren; aside?: ComponentChildren }) {
  return <section class="part" aria-label={title}><div class="heading"><h2>{title}</h2>{aside}</div>{children}</section>;
}

export interface Column<Row> {
  title: Text;
  cell(row: Row): ComponentChildren;
  narrow?: boolean;
  numeric?: boolean;
}

const kindOf = ({ narrow, numeric }: { narrow?: boolean; numeric?: boolean }) => (numeric ? 'narrow numeric' : narrow ? 'narrow' : undefined);

// Narrow screens show each row as a block, where roles tell what it still is.
export function Table<Row>(props: {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  id(row: Row): string | number;
  none?: Text;
  busy?: boolean;
}) {
  if (!props.rows.length) return <p class="quiet">{t(props.none ?? 'Nothing here.')}</p>;
  return (
    <table role="table" aria-label={props.label} aria-busy={props.busy}>
      <thead role="rowgroup">
        <tr role="row">{props.columns.map((column) => <th role="columnheader" scope="col" class={kindOf(column)}>{t(column.title)}</th>)}</tr>
      </thead>
      <tbody role="rowgroup">
        {props.rows.map((row) => (
          <tr role="row" key={props.id(row)}>
            {props.columns.map((column) => (
              <td role="cell" data-label={t(column.title)} class={kindOf(column)}>{column.cell(row)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// open: how many there are isn't known, but whether there are more.
export function Pages({ from, size, total, go, open }: { from: number; size: number; total: number; go(from: number): void; open?: boolean }) {
  if (total <= size && from === 0) return null;
  return (
    <nav class="pages" aria-label={t('Pages')}>
      <button type="button" disabled={from === 0} onClick={() => go(Math.max(0, from - size))}>{t('Previous')}</button>
      <span>{t(open ? '{from} to {to}' : '{from} to {to} of {total}', {
        from: Math.min(from + 1, total), to: Math.min(from + size, total), total,
      })}</span>
      <button type="button" disabled={from + size >= total} onClick={() => go(from + size)}>{t('Next')}</button>
    </nav>
  );
}

function useAct(act: () => Promise<unknown>, done?: string): { busy: boolean; run(): Promise<void> } {
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      await act();
      if (done) tell(done);
    } catch (failure) {
      tell(failure instanceof Failure && failure.forbidden ? t('You may not do this.') : sentence(failure), true);
    } finally {
      setBusy(false);
    }
  };
  return { busy, run };
}

// A button for what may fail, and may need a question first.
export function Act(props: {
  label: string;
  about?: string; // what it is done to, for those who don't see where the button is
  ask?: string;
  more?: ComponentChildren; // below the question: what would change
  danger?: boolean;
  main?: boolean;
  disabled?: boolean;
  done?: string;
  act(): Promise<unknown>;
}) {
  const { busy, run } = useAct(props.act, props.done);
  const [asking, setAsking] = useState(false);
  const answer = (yes: boolean) => {
    setAsking(false);
    if (yes) void run();
  };
  return (
    <>
      <button type="button" class={props.danger ? 'danger' : props.main ? 'main' : undefined} disabled={busy || props.disabled}
        aria-label={props.about ? `${props.label}: ${props.about}` : undefined}
        onClick={() => (props.ask ? setAsking(true) : void run())}>{props.label}</button>
      {asking && <Question text={props.ask ?? ''} yes={props.label} more={props.more} danger={props.danger} answer={answer} />}
    </>
  );
}

// What Enter in one of its fields sends, too.
export function Form({ ready, submit, act, children, ...rest }: { ready: boolean; submit: string; act(): Promise<unknown>; children?: ComponentChildren; class: string }) {
  const { busy, run } = useAct(act);
  return (
    <form class={rest.class} onSubmit={(event: Event) => {
      event.preventDefault();
      if (ready && !busy) void run();
    }}>
      {children}
      <div class="buttons"><button class="main" disabled={busy || !ready}>{submit}</button></div>
    </form>
  );
}

function Question({ text, yes, more, danger, answer }: { text: string; yes: string; more?: ComponentChildren; danger?: boolean; answer(yes: boolean): void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog ref={ref} aria-label={text} onCancel={() => answer(false)}>
      {more ? <h2>{text}</h2> : <p>{text}</p>}
      {more && <div class="more" role="status">{more}</div>}
      <div class="buttons">
        <button type="button" autofocus onClick={() => answer(false)}>{t('Cancel')}</button>
        <button type="button" class={danger ? 'danger' : 'main'} onClick={() => answer(true)}>{yes}</button>
      </div>
    </dialog>
  );
}

interface Told {
  text: string;
  bad: boolean;
  number: number;
}
let show: (told: Told) => void = () => undefined;
let toldSoFar = 0;
export function tell(text: string, bad = false): void {
  show({ text, bad, number: ++toldSoFar });
}

// What was just done, said once: in the corner, and aloud.
export function Teller() {
  const [told, set] = useState<Told | null>(null);
  useEffect(() => {
    show = set;
  }, []);
  useEffect(() => {
    if (!told || told.bad) return;
    const later = setTimeout(() => set(null), 6000);
    return () => clearTimeout(later);
  }, [told]);
  return (
    <div class="teller" role="status" aria-live="polite">
      {told && (
        <p key={told.number} class={told.bad ? 'notice bad' : 'notice'}>
          {told.text} <button type="button" onClick={() => set(null)}>{t('Close')}</button>
        </p>
      )}
    </div>
  );
}

export function Field(props: {
  label: string;
  value: string;
  onText(value: string): void;
  type?: 'text' | 'search' | 'password' | 'datetime-local';
  hint?: string;
  autocomplete?: string;
  required?: boolean;
  name?: string;
}) {
  const id = `field-${props.name ?? props.label}`.replace(/\W+/g, '-');
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input id={id} name={props.name} type={(props.type ?? 'text') as 'text'} value={props.value} required={props.required}
        autocomplete={props.autocomplete ?? 'off'} autocapitalize="none" spellcheck={false}
        aria-describedby={props.hint ? `${id}-hint` : undefined}
        onInput={(event: Event) => props.onText((event.currentTarget as HTMLInputElement).value)} />
      {props.hint && <small id={`${id}-hint`}>{props.hint}</small>}
    </div>
  );
}

// With whatever else narrows down what is found.
export function Search({ label, of, name = 'search', children }: { label: string; of: Searched; name?: string; children?: ComponentChildren }) {
  return (
    <form class="form" role="search" aria-label={label} onSubmit={(event: Event) => event.preventDefault()}>
      <Field name={name} type="search" label={label} value={of.text} onText={of.type} />
      {children}
    </form>
  );
}

export function Choice<Value extends string>(props: {
  label: string;
  value: Value;
  among: [Value, string][];
  choose(value: Value): void;
  hint?: string;
  name?: string;
}) {
  const id = `choice-${props.name ?? props.label}`.replace(/\W+/g, '-');
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select id={id} name={props.name} value={props.value} aria-describedby={props.hint ? `${id}-hint` : undefined} onChange={(event: Event) => props.choose((event.currentTarget as HTMLSelectElement).value as Value)}>
        {props.among.map(([value, name]) => <option value={value} selected={value === props.value}>{name}</option>)}
      </select>
      {props.hint && <small id={`${id}-hint`}>{props.hint}</small>}
    </div>
  );
}

export function Mark({ good, children }: { good?: boolean; children: ComponentChildren }) {
  return <span class={good === undefined ? 'mark' : good ? 'mark good' : 'mark bad'}>{children}</span>;
}

export const SOON_DAYS = 30;
// As people count them: tomorrow is the next day, be it an hour away.
const daysUntil = (at: string) => Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / (24 * 3600 * 1000));
export const endsSoon = (at: string) => daysUntil(at) < SOON_DAYS;

// How long it is until then: of certificates.
export function Expiry({ at }: { at: string }) {
  const days = daysUntil(at);
  if (Date.parse(at) < Date.now()) return <Mark good={false}>{t('expired')}</Mark>;
  return <Mark good={days >= SOON_DAYS}>{new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }).format(days, 'day')}</Mark>;
}

// In the visitor's zone; the whole of it, with the zone, when one points at it.
export function Time({ at }: { at: string | null | undefined }) {
  if (!at) return <>–</>;
  const date = new Date(at);
  if (isNaN(date.getTime())) return <>{at}</>;
  const short = new Intl.DateTimeFormat(locale(), { dateStyle: 'short', timeStyle: 'medium' });
  const long = new Intl.DateTimeFormat(locale(), { dateStyle: 'full', timeStyle: 'long' });
  return <time dateTime={date.toISOString()} title={long.format(date)}>{short.format(date)}</time>;
}
