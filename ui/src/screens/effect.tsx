// Whom an edit of a policy changes something for: what others give them stays.
import { Fragment, h } from 'preact';
import { call, type List, type Policy, type User } from '../api';
import { sentence, useAsked, useDelayed } from '../kit';
import { t } from '../texts';
import { nameOf } from './names';

interface Origin {
  pattern: string;
  policy_uuid: string | null;
}
type Holder = User & { origins: Origin[] };

const MOST = 1000; // users that are looked at one by one; of more than that, numbers are "at most"
const ACCESSES = 20;

// An access that stands for all that a pattern gives: '*' and '#' as words that no pattern has.
const example = (pattern: string) => pattern.replace(/^!/, '').split('.').map((word) => (word === '#' ? 'any.thing' : word === '*' ? 'any' : word)).join('.');

const whoCan = (access: string, signal: AbortSignal) => call<List<Holder>>('GET', 'access/who-can', { query: { access: example(access), recurse: true, limit: MOST }, signal });

interface Effect {
  access: string;
  gains: boolean;
  users: User[]; // those that are known by name
  count: number;
  exact: boolean;
}

async function effectOf(policy: Policy, acl: string[], access: string, gained: boolean, holders: List<User>, signal: AbortSignal): Promise<Effect> {
  const can = await whoCan(access, signal);
  const exact = can.filtered <= MOST && holders.filtered <= MOST;
  const hidden = Math.max(can.filtered - can.items.length, 0);
  const having = new Set(holders.items.map((user) => user.uuid));
  // One who is disabled has nothing.
  const live = holders.items.filter((user) => user.enabled);
  const unseen = Math.max(holders.filtered - holders.items.length, 0);
  if (gained && !access.startsWith('!')) {
    const able = new Set(can.items.map((user) => user.uuid));
    const users = live.filter((user) => !able.has(user.uuid));
    return { access, gains: true, users, count: users.length + unseen, exact };
  }
  // A negation takes it from all who have the policy; a pattern that goes, from those whom nothing else gives it.
  const stays = (origin: Origin) => origin.policy_uuid !== policy.uuid || acl.includes(origin.pattern);
  const users = gained ? can.items.filter((user) => having.has(user.uuid)) : can.items.filter((user) => !user.origins.some(stays));
  return { access, gains: false, users, count: Math.min(users.length + hidden, holders.filtered), exact };
}

export function Effects({ policy, acl, gained, lost }: { policy: Policy; acl: string[]; gained: string[]; lost: string[] }) {
  const wanted = useDelayed(JSON.stringify([gained, lost]), 400);
  const effects = useAsked(async (signal) => {
    const [more, less] = JSON.parse(wanted) as [string[], string[]];
    const asked = [...more.map((access): [string, boolean] => [access, true]), ...less.filter((access) => !access.startsWith('!')).map((access): [string, boolean] => [access, false])];
    const holders = await call<List<User>>('GET', 'users', { query: { has_policy_uuid: policy.uuid, recurse: true, limit: MOST, order: 'username' }, signal });
    const found: Effect[] = [];
    for (const [access, gain] of asked.slice(0, ACCESSES)) found.push(await effectOf(policy, acl, access, gain, holders, signal));
    return { found, left: asked.length - found.length };
  }, [wanted]);
  if (effects.failure) return <p>{sentence(effects.failure)}</p>;
  if (!effects.answer || effects.loading) return <p class="quiet">{t('Finding out who is affected…')}</p>;
  const { found, left } = effects.answer;
  return (
    <>
      <p>{t('From their next login on, considering what other policies give:')}</p>
      <ul>
        {found.map((effect) => {
          const values = { count: effect.count };
          return (
            <li key={(effect.gains ? '+' : '-') + effect.access}>
              {effect.gains ? <ins><code>{effect.access}</code></ins> : <del><code>{effect.access}</code></del>}{' '}
              {effect.count === 0 ? (effect.gains ? t('nobody gains it: all who have the policy have it from others') : t('nobody loses it: other policies still give it'))
                : effect.gains ? t(effect.exact ? '{count|# user gains it|# users gain it}' : 'at most {count|# user gains it|# users gain it}', values)
                  : t(effect.exact ? '{count|# user loses it|# users lose it}' : 'at most {count|# user loses it|# users lose it}', values)}
              {effect.users.length > 0 && <span class="quiet"> ({effect.users.slice(0, 5).map(nameOf).join(', ')}{effect.count > 5 && ' …'})</span>}
            </li>
          );
        })}
      </ul>
      {left > 0 && <p class="quiet">{t('{count|# more access wasn’t|# more accesses weren’t} looked at.', { count: left })}</p>}
    </>
  );
}
