// Who gains and who loses by a change of groups or policies, before it is made: the server says so, and knows what else
// gives an access, or denies it.
import { Fragment, h } from 'preact';
import { call } from '../api';
import { sentence, useAsked, useDelayed, useMay } from '../kit';
import { t } from '../texts';
import { fullName } from './names';

export interface Change {
  change: 'add' | 'remove' | 'edit';
  user_uuid?: string;
  group_uuid?: string;
  policy_uuid?: string;
  acl?: string[];
}

interface Affected {
  uuid: string;
  username: string | null;
  firstname: string | null;
  lastname: string | null;
}
interface Effect {
  effect: 'gain' | 'lose';
  accesses: string[];
  users: number;
  first: Affected[];
}
interface Preview {
  users: number;
  effects: Effect[];
  skipped: number;
}

const SHOWN = 10; // accesses of a line

export function Effects({ change }: { change: Change }) {
  const allowed = useMay(['auth.access.preview']);
  if (!allowed) return null;
  if (!allowed['auth.access.preview']) return <p>{t('It holds from the next login on, for everybody whom it reaches, unless another group or policy says otherwise.')}</p>;
  return <Previewed change={change} />;
}

function Previewed({ change }: { change: Change }) {
  const wanted = useDelayed(JSON.stringify(change), 400);
  const preview = useAsked((signal) => call<Preview>('POST', 'access/preview', { body: JSON.parse(wanted), signal }), [wanted]);
  if (preview.failure) return <p>{sentence(preview.failure)}</p>;
  if (!preview.answer || preview.loading) return <p class="quiet" aria-busy="true">{t('Finding out who is affected…')}</p>;
  const { users, effects, skipped } = preview.answer;
  const weight = (effect: Effect) => (effect.users === 0 ? 2 : effect.effect === 'gain' ? 1 : 0);
  if (users === 0) return <p>{t('No enabled user is affected.')}</p>;
  return (
    <>
      <p>{t('From their next login on, considering what other groups and policies say:')}</p>
      <ul>{[...effects].sort((a, b) => weight(a) - weight(b)).map((effect) => <Line key={effect.effect + effect.accesses[0]} effect={effect} />)}</ul>
      {skipped > 0 && <p class="quiet">{t('{count|# more access wasn’t|# more accesses weren’t} looked at.', { count: skipped })}</p>}
    </>
  );
}

function Line({ effect: { effect, accesses, users, first } }: { effect: Effect }) {
  const gains = effect === 'gain';
  const as = users === 0 ? 'span' : gains ? 'ins' : 'del';
  const names = first.map(fullName);
  if (users > first.length) names.push(t('{count} more', { count: users - first.length }));
  return (
    <li>
      {users === 0 ? t(gains ? 'Nobody gains' : 'Nobody loses')
        : t(gains ? '{count|# user gains|# users gain}' : '{count|# user loses|# users lose}', { count: users })}
      {users > 0 && <span class="quiet"> ({names.join(', ')})</span>}{' '}
      <Accesses of={accesses.slice(0, SHOWN)} as={as} />
      {accesses.length > SHOWN && (
        <details>
          <summary>{t('{count|# more access|# more accesses}', { count: accesses.length - SHOWN })}</summary>
          <Accesses of={accesses.slice(SHOWN)} as={as} />
        </details>
      )}
    </li>
  );
}

function Accesses({ of, as: Mark }: { of: string[]; as: 'ins' | 'del' | 'span' }) {
  return (
    <>
      {of.map((access, at) => (
        <span key={access}>
          {at > 0 && ', '}
          {access.startsWith('!') ? <>{t('what is denied by')} <code>{access}</code></> : <Mark><code>{access}</code></Mark>}
        </span>
      ))}
    </>
  );
}
