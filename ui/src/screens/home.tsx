// What is wrong now, and what changed lately.
import { Fragment, h } from 'preact';
import { useEffect } from 'preact/hooks';
import { publicCall } from '../api';
import { Heading, Mark, Part, State, useAsked, useMay } from '../kit';
import { t, type Text } from '../texts';
import { Entries } from './audit';
import { Ending, LastHour, useNode } from './figures';

interface Component {
  status: string;
  age_milliseconds?: number;
  bus?: Waiting;
  redis?: Waiting;
  mail?: Waiting;
}
interface Waiting {
  waiting: number;
  oldest_seconds: number;
}
export type Status = Record<string, Component> & { health?: { status: string; state: string; why: string[] } };

// Asked for while the password is hashed, so that the overview has it at once.
let early: Status | undefined;
export async function askEarly(): Promise<void> {
  early = undefined;
  early = await publicCall<Status>('GET', 'status').catch(() => undefined);
}
function takeEarly(): Status | undefined {
  const status = early;
  early = undefined;
  return status;
}

const names: Record<string, Text> = {
  rest_api: 'API',
  database: 'Database',
  notifications: 'Revocation notifications',
  outbox: 'Pending events and emails',
  redis: 'Redis',
  broker: 'Message broker',
  mail: 'Mail server',
  master_tenant: 'Master tenant',
};
const states: Record<string, Text> = {
  ready: 'All is well.',
  degraded: 'This server works, but something is missing.',
  live: 'This server can’t do its work.',
};

function details(name: string, part: Component): string {
  if (name === 'notifications' && part.age_milliseconds !== undefined) {
    return t('last heard {ms} ms ago', { ms: part.age_milliseconds });
  }
  if (name !== 'outbox') return '';
  return (['bus', 'redis', 'mail'] as const)
    .filter((target) => part[target]?.waiting)
    .map((target) => t('{target}: {count} waiting, the oldest for {seconds} s', {
      target, count: part[target]?.waiting ?? 0, seconds: part[target]?.oldest_seconds ?? 0,
    }))
    .join('; ');
}

export function Home() {
  const status = useAsked((signal) => publicCall<Status>('GET', 'status', { signal }), [], takeEarly);
  useEffect(() => {
    const again = setInterval(() => {
      if (document.visibilityState === 'visible') status.again();
    }, 10000);
    return () => clearInterval(again);
  }, []);
  const allowed = useMay(['auth.audit.read']);
  const node = useNode().answer;
  const health = status.answer?.health;
  return (
    <>
      <Heading title={t('Overview')} />
      <div class="pair">
        <Part title={t('Health of this server')}>
          <State of={status}>
            {health && <p class={health.state === 'ready' ? 'notice' : 'notice bad'} data-state={health.state}>{t(states[health.state] ?? 'This server can’t do its work.')}</p>}
            <dl>
              {Object.entries(status.answer ?? {}).filter(([name]) => name !== 'health').map(([name, part]) => (
                <>
                  <dt>{name in names ? t(names[name]) : name}</dt>
                  <dd>
                    <Mark good={part.status === 'ok'}>{part.status === 'ok' ? t('OK') : part.status === 'unknown' ? t('not known yet') : t('failing')}</Mark>{' '}
                    <span class="quiet">{details(name, part)}</span>
                  </dd>
                </>
              ))}
            </dl>
          </State>
        </Part>
        {node && <Ending certificates={node.certificates} />}
      </div>
      {node && <LastHour node={node} link />}
      {allowed?.['auth.audit.read'] && (
        <Part title={t('Recent changes')} aside={<a href="#/audit">{t('Audit log')}</a>}>
          <Entries filter={{}} size={10} paged={false} />
        </Part>
      )}
    </>
  );
}
