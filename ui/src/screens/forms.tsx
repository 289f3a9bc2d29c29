// What forms of several screens have in common.
import { h, type ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { call, Failure, may, raw, type Asked as Request, type Visitor } from '../api';
import { Act, Choice, useAsked } from '../kit';
import { t } from '../texts';
import { tenantName, useTenants } from './names';

export function Area(props: { name: string; label: string; value: string; onText(value: string): void; hint?: string; rows?: number; required?: boolean }) {
  const id = `area-${props.name}`;
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <textarea id={id} name={props.name} class={props.rows ? 'low' : undefined} rows={props.rows} spellcheck={false} value={props.value} required={props.required}
        aria-describedby={props.hint ? `${id}-hint` : undefined}
        onInput={(event: Event) => props.onText((event.currentTarget as HTMLTextAreaElement).value)} />
      {props.hint && <small id={`${id}-hint`}>{props.hint}</small>}
    </div>
  );
}

export function Tick(props: { name: string; label: string; value: boolean; change(value: boolean): void; hint?: string }) {
  const id = `tick-${props.name}`;
  return (
    <div class="tick">
      <input id={id} name={props.name} type="checkbox" checked={props.value} aria-describedby={props.hint ? `${id}-hint` : undefined}
        onChange={(event: Event) => props.change((event.currentTarget as HTMLInputElement).checked)} />
      <label for={id}>{props.label}</label>
      {props.hint && <small id={`${id}-hint`}>{props.hint}</small>}
    </div>
  );
}

export function Upload(props: { name: string; label: string; accept?: string; hint?: string; take(file: File | null): void }) {
  const id = `upload-${props.name}`;
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input id={id} name={props.name} type="file" accept={props.accept} aria-describedby={props.hint ? `${id}-hint` : undefined}
        onChange={(event: Event) => props.take((event.currentTarget as HTMLInputElement).files?.[0] ?? null)} />
      {props.hint && <small id={`${id}-hint`}>{props.hint}</small>}
    </div>
  );
}

// Several who edit the same thing: whoever comes second is asked.
export function Outdated({ again }: { again(): void }) {
  return (
    <p class="notice bad" role="alert">
      {t('Somebody else has changed this in the meantime. Nothing was saved.')}{' '}
      <button type="button" onClick={again}>{t('Show their version and discard mine')}</button>
    </p>
  );
}

// Whoever uses the configuration is named by the question.
export function DeleteConfiguration({ path, tenant, about, ask, again }: { path: string; tenant: string; about?: string; ask: string; again(): void }) {
  return (
    <Act label={t('Delete')} about={about} danger ask={ask} done={t('The configuration was deleted.')} act={async () => {
      await call('DELETE', path, { tenant });
      again();
    }} />
  );
}

// A file of the API that the visitor keeps.
export async function download(path: string, name: string, asked: Request): Promise<void> {
  const answer = await raw('GET', path, asked);
  if (answer.status !== 200) throw new Failure(answer.status, '');
  const url = URL.createObjectURL(new Blob([answer.text], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// For which tenant a screen is: those who see several choose, and the choice goes along from screen to screen.
let chosen = '';
addEventListener('sessionended', () => (chosen = ''));

export function useTenant(visitor: Visitor): { tenant: string; choice: ComponentChildren } {
  const [tenant, setTenant] = useState(chosen || visitor.tenant);
  const tenants = useTenants();
  const sorted = [...(tenants?.keys() ?? [])].map((uuid): [string, string] => [uuid, tenantName(tenants, uuid)])
    .sort((a, b) => a[1].localeCompare(b[1]));
  const choice = sorted.length > 1 && (
    <Choice name="tenant" label={t('Tenant')} value={tenant} among={sorted} choose={(uuid) => {
      chosen = uuid;
      setTenant(uuid);
    }} />
  );
  return { tenant, choice };
}

// What a visitor may not ask for is nothing.
export function useIfAllowed<Answer>(access: string, ask: (signal: AbortSignal) => Promise<Answer>, inputs: unknown[]) {
  return useAsked(async (signal) => ((await may([access]))[access] ? ask(signal) : null), [access, ...inputs]);
}

// A form's texts, and whether they differ from what they began with.
export function useForm<Form>(begin: Form): { form: Form; set(change: Partial<Form>): void; changed: boolean } {
  const [form, setForm] = useState(begin);
  return {
    form,
    set: (change) => setForm((before) => ({ ...before, ...change })),
    changed: JSON.stringify(form) !== JSON.stringify(begin),
  };
}
