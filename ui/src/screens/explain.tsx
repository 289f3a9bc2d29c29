// Why a user may, or may not: of an access, or of a request as a client sends it.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, Failure, type User } from '../api';
import { Choice, Field, Mark, Part, sentence, tell } from '../kit';
import { t } from '../texts';

interface Explanation {
  access: string | null;
  summary: string;
  allowed: boolean;
  changes: { text: string }[];
  operation: { method: string; path: string | null; document: string | null; need: string; accesses: string[] } | null;
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'];

export function Explain({ user }: { user: User }) {
  const [access, setAccess] = useState('');
  const [method, setMethod] = useState('GET');
  const [url, setUrl] = useState('');
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<Explanation | null>(null);
  const ask = async (event: Event, question: Record<string, string>) => {
    event.preventDefault();
    setBusy(true);
    try {
      setAnswer(await call<Explanation>('POST', 'access/explain', { body: { ...question, user_uuid: user.uuid } }));
    } catch (failure) {
      setAnswer(null);
      // Which operation there is none of, or why: only the server knows.
      tell(failure instanceof Failure && failure.status === 404 && failure.message ? failure.message : sentence(failure), true);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Part title={t('Check an access')}>
      <form class="form" onSubmit={(event: Event) => void ask(event, { access: access.trim() })}>
        <Field name="access" label={t('Access')} value={access} onText={setAccess} required hint={t('As a daemon asks for it, such as calld.calls.42.read')} />
        <button disabled={busy}>{t('Check')}</button>
      </form>
      <form class="form" onSubmit={(event: Event) => void ask(event, { method, url: url.trim() })}>
        <div class="short"><Choice label={t('Method')} value={method} choose={setMethod} among={METHODS.map((each): [string, string] => [each, each])} /></div>
        <Field name="url" label={t('Address of the request')} value={url} onText={setUrl} required hint={t('As a client sends it, such as /api/calld/1.0/calls/42')} />
        <button disabled={busy}>{t('Check')}</button>
      </form>
      {answer && (
        <div role="status" class="part">
          {answer.operation && (
            <p><code>{answer.operation.method} {answer.operation.path}</code> {answer.operation.document && <span class="quiet">{answer.operation.document}</span>}</p>
          )}
          <p><Mark good={answer.allowed}>{answer.allowed ? t('allowed') : t('not allowed')}</Mark> {answer.access && <code>{answer.access}</code>}</p>
          <p>{answer.summary}</p>
          {answer.operation && answer.operation.accesses.length > 1 && <p class="quiet">{t('One of these is enough:')} {answer.operation.accesses.join(', ')}</p>}
          {answer.changes.length > 0 && (
            <>
              <h3>{t('What would have to change')}</h3>
              <ul>{answer.changes.map((change) => <li key={change.text}>{change.text}</li>)}</ul>
            </>
          )}
        </div>
      )}
    </Part>
  );
}
