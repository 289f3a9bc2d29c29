// What this server did in the last hour, and what it is at.
import { Fragment, h } from 'preact';
import { useEffect } from 'preact/hooks';
import { call, Failure } from '../api';
import { endsSoon, Expiry, Heading, Mark, Part, SOON_DAYS, State, Table, Time, useAsked, useMay, type Asked } from '../kit';
import { locale, number, t, type Text } from '../texts';

interface Period {
  from: string;
  seconds: number;
  api_requests: number;
  api_errors: number;
  gated_requests: number;
  gate_refusals: number;
  gate_failures: number;
  logins: number;
  failed_logins: number;
  revocations: number;
  revocation_milliseconds: number | null;
  slowest_revocation_milliseconds: number | null;
}
interface Certificate {
  name: string;
  ends_at: string;
}
interface Node {
  version: string;
  since: string;
  periods: Period[];
  certificates: Certificate[];
  workers: number;
  pools: { name: string; threads: number; busy: number; waiting: number }[];
  database_connections: { open: number; in_use: number; limit: number };
  tokens: { known: number; room: number; evicted: number; revoked: number };
  upgraded_connections: number;
  address_locks: number;
  delayed_logins: number;
}

// Null: it isn't the visitor's to see. The API tells of the server only in the tenant above all others.
export function useNode(): Asked<Node | null> {
  const allowed = useMay(['auth.node.read'])?.['auth.node.read'];
  const node = useAsked(async (signal) => {
    if (!allowed) return null;
    try {
      return await call<Node>('GET', 'node', { signal });
    } catch (failure) {
      if (failure instanceof Failure && failure.forbidden) return null;
      throw failure;
    }
  }, [allowed]);
  useEffect(() => {
    if (!node.answer) return;
    const again = setInterval(() => {
      if (document.visibilityState === 'visible') node.again();
    }, 10000);
    return () => clearInterval(again);
  }, [!node.answer]);
  return allowed === undefined ? { ...node, answer: undefined } : node;
}

const soonest = (certificates: Certificate[]) => [...certificates].sort((a, b) => (a.ends_at < b.ends_at ? -1 : 1));

export function Ending({ certificates }: { certificates: Certificate[] }) {
  const soon = soonest(certificates).filter((each) => endsSoon(each.ends_at));
  if (!certificates.length) return null;
  return (
    <Part title={t('Certificates')}>
      {soon.length === 0 && <p class="quiet">{t('{count|The only certificate doesn’t expire|None of # certificates expires} within {days} days.', { count: certificates.length, days: SOON_DAYS })}</p>}
      {soon.length > 0 && <Certificates label={t('Certificates')} certificates={soon} />}
    </Part>
  );
}

function Certificates({ label, certificates }: { label: string; certificates: Certificate[] }) {
  return (
    <Table label={label} rows={soonest(certificates)} id={(each) => each.name} columns={[
      { title: 'Certificate', cell: (each) => each.name },
      { title: 'Expires', narrow: true, cell: (each) => <Time at={each.ends_at} /> },
      { title: 'State', narrow: true, cell: (each) => <Expiry at={each.ends_at} /> },
    ]} />
  );
}

// -- graphs

interface Series {
  name: Text;
  value(period: Period): number;
  kind?: 'second' | 'bad';
}

const MINUTES = 60;
const clock = (at: Date) => new Intl.DateTimeFormat(locale(), { timeStyle: 'short' }).format(at);
const short = (value: number) => new Intl.NumberFormat(locale(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);

// The end of the scale: a round number.
function ceiling(value: number): number {
  if (value <= 0) return 1;
  const ten = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((each) => each * ten).find((each) => each >= value) ?? value;
}

// A bar for each minute, the parts of it one upon the other; for those who can't see it a sentence and a table.
function Graph({ title, series, periods, milliseconds }: { title: string; series: Series[]; periods: Period[]; milliseconds?: boolean }) {
  const unit = (value: number) => (milliseconds ? t('{ms} ms', { ms: short(value) }) : short(value));
  const now = Date.now();
  const newest = periods[periods.length - 1];
  const last = newest ? Date.parse(newest.from) : now;
  const end = newest ? last + newest.seconds * 1000 : now;
  const whole = (period: Period) => series.reduce((sum, each) => sum + each.value(period), 0);
  const most = Math.max(0, ...periods.map(whole));
  const top = ceiling(most);
  const sums = series.map((each) => periods.reduce((sum, period) => sum + each.value(period), 0));
  const said = milliseconds
    ? t('{title}: {most} at most.', { title, most: unit(most) })
    : t('{title}: {sums}; at most {most} in a minute.', { title, sums: series.map((each, at) => `${t(each.name)} ${short(sums[at])}`).join(', '), most: short(most) });
  const told = (period: Period) => `${clock(new Date(period.from))}: ${series.map((each) => `${t(each.name)} ${unit(each.value(period))}`).join(', ')}`;
  return (
    <figure class="graph">
      <figcaption>
        <h3>{title}</h3>
        <span class="quiet legend">
          {series.map((each, at) => <span key={each.name}><i class={each.kind} aria-hidden="true" /> {t(each.name)}{!milliseconds && ` ${short(sums[at])}`}</span>)}
        </span>
      </figcaption>
      <div class="plot">
        <svg role="img" aria-label={said} viewBox={`0 0 ${MINUTES} 100`} preserveAspectRatio="none">
          {periods.map((period) => {
            // By whole minutes: the one that isn't over yet has the width of the others.
            const x = MINUTES - 1 - Math.round((last - Date.parse(period.from)) / 60000);
            if (x < 0) return null;
            let y = 100;
            return (
              <g key={period.from}>
                <title>{told(period)}</title>
                {series.map((each) => {
                  const value = each.value(period);
                  const height = value > 0 ? Math.max((value / top) * 100, 1) : 0;
                  y -= height;
                  return <rect key={each.name} class={each.kind} x={x + 0.1} y={y} width={0.8} height={height} />;
                })}
              </g>
            );
          })}
        </svg>
        <small class="top-mark" aria-hidden="true">{unit(top)}</small>
        {most === 0 && <small class="none" aria-hidden="true">{t('None in the last hour.')}</small>}
      </div>
      <div class="scale" aria-hidden="true"><small>{clock(new Date(end - MINUTES * 60000))}</small><small>{clock(new Date(end))}</small></div>
      <details>
        <summary>{t('As a table')}<span class="unseen">: {title}</span></summary>
        <table>
          <thead><tr><th scope="col">{t('When')}</th>{series.map((each) => <th scope="col">{t(each.name)}</th>)}</tr></thead>
          <tbody>
            {[...periods].reverse().map((period) => (
              <tr key={period.from}><td data-label={t('When')}>{clock(new Date(period.from))}</td>{series.map((each) => <td data-label={t(each.name)}>{unit(each.value(period))}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

export function LastHour({ node, link }: { node: Node; link?: boolean }) {
  const { periods } = node;
  return (
    <Part title={t('The last hour')} aside={link && <a href="#/node">{t('Metrics of this server')}</a>}>
      <div class="graphs">
        <Graph title={t('Requests')} periods={periods} series={[
          { name: 'gated', value: (period) => period.gated_requests },
          { name: 'to the API', value: (period) => period.api_requests, kind: 'second' },
        ]} />
        <Graph title={t('Refusals')} periods={periods} series={[
          { name: 'by the gate', value: (period) => period.gate_refusals + period.gate_failures, kind: 'bad' },
          { name: 'by the API', value: (period) => period.api_errors, kind: 'second' },
        ]} />
        <Graph title={t('Logins')} periods={periods} series={[
          { name: 'successful', value: (period) => period.logins },
          { name: 'unsuccessful', value: (period) => period.failed_logins, kind: 'bad' },
        ]} />
        <Graph title={t('Revocation delay')} periods={periods} milliseconds series={[
          { name: 'on average', value: (period) => period.revocation_milliseconds ?? 0 },
        ]} />
      </div>
    </Part>
  );
}

export function NodeScreen() {
  const asked = useNode();
  const node = asked.answer;
  return (
    <>
      <p><a href="#/home">{t('Overview')}</a></p>
      <Heading title={t('Metrics of this server')} />
      {node === null && <p class="notice bad" role="alert">{t('You may not see this.')}</p>}
      <State of={asked}>
        {node && (
          <>
            <LastHour node={node} />
            <div class="pair">
              <Part title={t('Right now')}>
                <dl>
                  <dt>{t('Version')}</dt><dd>{node.version}</dd>
                  <dt>{t('Counting since')}</dt><dd><Time at={node.since} /></dd>
                  <dt>{t('Worker processes')}</dt><dd>{number(node.workers)}</dd>
                  <dt>{t('Database connections')}</dt>
                  <dd>{t('{used} in use, {open} open, {limit} at most', { used: node.database_connections.in_use, open: node.database_connections.open, limit: node.database_connections.limit })}</dd>
                  <dt>{t('Tokens in memory')}</dt>
                  <dd>{t('{known} of at most {room}', { known: node.tokens.known, room: node.tokens.room })} {node.tokens.evicted > 0 && <Mark good={false}>{t('{count|# dropped|# dropped} for lack of room', { count: node.tokens.evicted })}</Mark>}</dd>
                  <dt>{t('Revoked tokens')}</dt><dd>{number(node.tokens.revoked)}</dd>
                  <dt>{t('WebSockets and open answers')}</dt><dd>{number(node.upgraded_connections)}</dd>
                  <dt>{t('Locked addresses')}</dt><dd>{number(node.address_locks)}</dd>
                  <dt>{t('Waiting logins')}</dt><dd>{number(node.delayed_logins)}</dd>
                </dl>
              </Part>
              <Part title={t('Threads')}>
                <Table label={t('Threads')} rows={node.pools} id={(pool) => pool.name} columns={[
                  { title: 'Pool', cell: (pool) => pool.name },
                  { title: 'Threads', numeric: true, cell: (pool) => number(pool.threads) },
                  { title: 'Busy', numeric: true, cell: (pool) => number(pool.busy) },
                  { title: 'Waiting jobs', numeric: true, cell: (pool) => (pool.waiting ? <Mark good={false}>{number(pool.waiting)}</Mark> : number(0)) },
                ]} />
              </Part>
            </div>
            {node.certificates.length > 0 && <Part title={t('Certificates')}><Certificates label={t('Certificates')} certificates={node.certificates} /></Part>}
          </>
        )}
      </State>
    </>
  );
}
