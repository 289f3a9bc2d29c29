// Users of a tenant as CSV: to save, and to bring back with a look at what it would change.
import { Fragment, h } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { call, type Visitor } from '../api';
import { carryOut, COLUMNS, learn, plan, preview, table, Unusable, type Plan, type Planned } from '../bulk';
import { readCsv, save, writeCsv } from '../csv';
import { Act, Choice, Heading, Mark, Pages, Part, sentence, Table, tell, useMay } from '../kit';
import { number, t, type Text } from '../texts';
import { tenantName, useTenants } from './names';

const SIZE = 25;
const kinds: Record<Planned['kind'], Text> = { new: 'new', changed: 'changed', unchanged: 'unchanged', faulty: 'faulty' };

export async function methodsOf(): Promise<string[]> {
  return call<{ items: string[] }>('GET', 'idp').then((answer) => answer.items.sort(), () => ['default', 'ldap', 'native', 'saml']);
}

function Progress({ label, done, total }: { label: string; done: number; total: number }) {
  return (
    <p>
      <progress aria-label={label} value={done} max={Math.max(total, 1)} />{' '}
      <span class="quiet">{label} {t('{found} of {total}', { found: done, total: total })}</span>
    </p>
  );
}

export function Bulk({ visitor }: { visitor: Visitor }) {
  const [tenant, setTenant] = useState(visitor.tenant);
  const tenants = useTenants();
  const allowed = useMay(['auth.users.import.create']);
  const among = [...(tenants?.values() ?? [])].map((each): [string, string] => [each.uuid, tenantName(tenants, each.uuid)]);
  return (
    <>
      <p><a href="#/users">{t('All users')}</a></p>
      <Heading title={t('Import and export')} />
      {among.length > 1 && (
        <div class="form"><Choice label={t('Tenant')} value={tenant} choose={setTenant} among={among.sort((a, b) => a[1].localeCompare(b[1]))} /></div>
      )}
      <Export key={`export ${tenant}`} tenant={tenant} />
      {allowed?.['auth.users.import.create'] && <Import key={`import ${tenant}`} tenant={tenant} />}
    </>
  );
}

function Export({ tenant }: { tenant: string }) {
  const [progress, setProgress] = useState<[number, number] | null>(null);
  const leaving = useLeaving();
  const run = async () => {
    try {
      const known = await learn(tenant, leaving.signal, (done, total) => setProgress([done, total]));
      save(`users-${new Date().toISOString().slice(0, 10)}.csv`, writeCsv(table(known)));
    } finally {
      setProgress(null);
    }
  };
  return (
    <Part title={t('Export')}>
      <p>{t('All users of this tenant with their email addresses, groups and policies, without passwords.')}</p>
      {progress && <Progress label={t('Reading users:')} done={progress[0]} total={progress[1]} />}
      <div class="buttons"><Act label={t('Save as CSV')} act={run} /></div>
    </Part>
  );
}

// Ends what is asked for when the screen goes.
function useLeaving(): AbortController {
  const leaving = useRef(new AbortController());
  useEffect(() => () => leaving.current.abort(), []);
  return leaving.current;
}

interface Failed {
  planned: Planned;
  why: string;
}
interface Done {
  done: number;
  total: number;
  failed: Failed[];
  over: boolean;
}

function Import({ tenant }: { tenant: string }) {
  const [reading, setReading] = useState<[number, number] | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const [found, setFound] = useState<Plan | null>(null);
  const [state, setState] = useState<Done | null>(null);
  const stop = useRef(false);
  const leaving = useLeaving();
  useEffect(() => () => {
    stop.current = true;
  }, []);
  const running = state !== null && !state.over;
  // Whoever leaves now has some users imported and others not: each of them whole, and the same file goes on with them.
  useEffect(() => {
    if (!running) return;
    const ask = (event: Event) => event.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [running]);
  const choose = async (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    const file = input.files?.[0];
    setFault(null);
    setFound(null);
    setState(null);
    if (!file) return;
    try {
      const read = plan(readCsv(await file.text()));
      setReading([0, read.rows.length]);
      await preview(read, tenant, leaving.signal, (done, total) => setReading([done, total]));
      setFound(read);
    } catch (failure) {
      if (!leaving.signal.aborted) setFault(failure instanceof Unusable ? t(failure.why, { what: failure.what }) : sentence(failure));
    } finally {
      setReading(null);
    }
  };
  const run = async (plan: Plan) => {
    const todo = plan.rows.filter((row) => row.kind === 'new' || row.kind === 'changed');
    const failed: Failed[] = [];
    let done = 0;
    stop.current = false;
    setState({ done, total: todo.length, failed, over: false });
    await carryOut(todo, tenant, () => stop.current, (planned, why) => {
      if (why !== null) failed.push({ planned, why });
      done += 1;
      setState({ done, total: todo.length, failed, over: false });
    });
    failed.sort((a, b) => a.planned.line - b.planned.line);
    setState({ done, total: todo.length, failed, over: true });
    tell(failed.length ? t('The import has ended, with failures.') : t('The import has ended.'), failed.length > 0);
  };
  return (
    <Part title={t('Import')}>
      <p>{t('A file like the export: the first line names the columns, any of which may be missing. What a column says replaces what the user has. Users are found by uuid, username or their first address. The column password is for new users.')}</p>
      <p class="quiet"><code>{COLUMNS.join(',')}</code></p>
      <div class="field">
        <label for="import-file">{t('CSV file')}</label>
        <input id="import-file" name="file" type="file" accept=".csv,text/csv" disabled={running} onChange={choose} />
      </div>
      {reading && <Progress label={t('Looking at lines:')} done={reading[0]} total={reading[1]} />}
      {fault && <p class="notice bad" role="alert">{fault}</p>}
      {found && !state && <Preview plan={found} go={() => void run(found)} />}
      {state && !state.over && (
        <>
          <Progress label={t('Importing:')} done={state.done} total={state.total} />
          <div class="buttons"><button type="button" onClick={() => (stop.current = true)}>{t('Stop')}</button></div>
        </>
      )}
      {state?.over && found && <Report state={state} plan={found} />}
    </Part>
  );
}

function Preview({ plan, go }: { plan: Plan; go(): void }) {
  const [kind, setKind] = useState<'' | Planned['kind']>('');
  const [from, setFrom] = useState(0);
  const rows = plan.rows.filter((row) => !kind || row.kind === kind);
  const count = (of: Planned['kind']) => plan.rows.filter((row) => row.kind === of).length;
  const todo = count('new') + count('changed');
  const among = (['new', 'changed', 'unchanged', 'faulty'] as const).map((each): [Planned['kind'], string] => [each, `${t(kinds[each])} (${number(count(each))})`]);
  return (
    <>
      <h3>{t('What this file would do')}</h3>
      <p class={count('faulty') ? 'notice bad' : 'notice'} role="status">
        {t('{created} new, {changed} changed, {unchanged} unchanged, {faulty} faulty.', {
          created: count('new'), changed: count('changed'), unchanged: count('unchanged'), faulty: count('faulty'),
        })}{' '}
        {count('faulty') > 0 && t('Faulty lines are left out.')}
      </p>
      <div class="form">
        <Choice label={t('Show')} value={kind} choose={(chosen) => {
          setKind(chosen);
          setFrom(0);
        }} among={[['', `${t('all')} (${number(plan.rows.length)})`], ...among]} />
      </div>
      <Table label={t('What this file would do')} rows={rows.slice(from, from + SIZE)} id={(row) => row.line} columns={[
        { title: 'Line', narrow: true, cell: (row) => number(row.line) },
        { title: 'User', cell: (row) => (row.user ? <a href={`#/users/${row.user}`} target="_blank" rel="noopener">{row.name}</a> : row.name) },
        { title: 'What happens', narrow: true, cell: (row) => <Mark good={row.kind === 'faulty' ? false : row.kind === 'unchanged' ? undefined : true}>{t(kinds[row.kind])}</Mark> },
        { title: 'Details', cell: (row) => <Details row={row} /> },
      ]} />
      <Pages from={from} size={SIZE} total={rows.length} go={setFrom} />
      <div class="buttons">
        <Act label={t('Import {count|# user|# users}', { count: todo })} main disabled={!todo}
          ask={count('changed') ? t('Import {count|# user|# users}? {changed|# of them is|# of them are} replaced: export first if you may want it back.', { count: todo, changed: count('changed') }) : undefined}
          act={async () => go()} />
      </div>
    </>
  );
}

function Details({ row }: { row: Planned }) {
  if (row.kind === 'faulty') return <>{row.faults.join('; ')}</>;
  return (
    <ul class="plain">
      {row.changes.map((change) => (
        <li key={change.column}>
          <code>{change.column}</code> {change.before && <><del>{change.before}</del> → </>}<ins>{change.after || '–'}</ins>
        </li>
      ))}
    </ul>
  );
}

function Report({ state, plan }: { state: Done; plan: Plan }) {
  const [from, setFrom] = useState(0);
  const faulty: Failed[] = plan.rows.filter((row) => row.kind === 'faulty').map((planned) => ({ planned, why: planned.faults.join('; ') }));
  const rows = [...state.failed, ...faulty].sort((a, b) => a.planned.line - b.planned.line);
  const left = state.total - state.done;
  // The lines as they were, so that they can be mended and imported again.
  const report = () => {
    const keep = plan.columns.map((column, at) => ({ column, at })).filter(({ column }) => column !== 'error');
    save('import-failures.csv', writeCsv([
      [...keep.map(({ column }) => column), 'error'],
      ...rows.map(({ planned, why }) => [...keep.map(({ at }) => planned.cells[at] ?? ''), why]),
    ]));
  };
  return (
    <>
      <p class={rows.length || left ? 'notice bad' : 'notice'} role="status">
        {t('{done|# user was|# users were} imported; {failed|# line was|# lines were} not.', { done: state.done - state.failed.length, failed: rows.length })}{' '}
        {left > 0 && t('{count|# user was|# users were} left when it was stopped: import the same file to go on.', { count: left })}
      </p>
      {rows.length > 0 && (
        <>
          <Table label={t('What failed')} rows={rows.slice(from, from + SIZE)} id={(row) => row.planned.line} columns={[
            { title: 'Line', narrow: true, cell: (row) => number(row.planned.line) },
            { title: 'User', cell: (row) => row.planned.name },
            { title: 'Why', cell: (row) => row.why },
          ]} />
          <Pages from={from} size={SIZE} total={rows.length} go={setFrom} />
          <div class="buttons"><button type="button" onClick={report}>{t('Save what failed as CSV')}</button></div>
        </>
      )}
    </>
  );
}
