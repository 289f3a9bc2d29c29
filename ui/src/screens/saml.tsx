// A tenant's identity provider: its configuration, our metadata for it, and what a login would do.
import { Fragment, h } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call, Failure, may, type Tried } from '../api';
import { Act, Choice, Field, Part, sentence, State, tell, useAsked, useMay, type Allowed } from '../kit';
import { t } from '../texts';
import { download, Outdated, Upload, useForm } from './forms';
import { Steps } from './tries';

interface Saved {
  domain_uuid: string;
  entity_id: string;
  acs_url: string;
}
interface Domain {
  uuid: string;
  name: string;
}
interface Known {
  saved: Saved | null;
  domains: Domain[];
  template: string;
}

const PATH = 'backends/saml';
const OWN = 'auth.backends.saml';

async function current(tenant: string, signal?: AbortSignal): Promise<Saved | null> {
  try {
    return await call<Saved>('GET', PATH, { tenant, signal });
  } catch (failure) {
    if (failure instanceof Failure && failure.status === 404) return null;
    throw failure;
  }
}

async function known(tenant: string, signal: AbortSignal): Promise<Known> {
  const ofDomains = `auth.tenants.${tenant}.domains.read`;
  const [saved, allowed, template] = await Promise.all([
    current(tenant, signal),
    may([ofDomains]),
    call<{ acs_url: string }>('GET', `${PATH}/acs_url_template`, { signal }),
  ]);
  const domains = allowed[ofDomains] ? (await call<{ items: Domain[] }>('GET', `tenants/${tenant}/domains`, { signal })).items : [];
  return { saved, domains, template: template.acs_url.replace('{{STACK_URL}}', location.host) };
}

export function Saml({ tenant }: { tenant: string }) {
  const all = useAsked((signal) => known(tenant, signal), [tenant]);
  const allowed = useMay([`${OWN}.create`, `${OWN}.update`, `${OWN}.delete`, `${OWN}.try`]);
  // Another metadata file of the same name isn't seen in what the API shows: the form is made anew each time it was asked.
  const [times, setTimes] = useState(0);
  return (
    <State of={all}>
      {all.answer && allowed && (
        <Form key={`${times} ${JSON.stringify(all.answer)}`} tenant={tenant} known={all.answer} allowed={allowed} again={() => {
          setTimes(times + 1);
          all.again();
        }} />
      )}
    </State>
  );
}

function Form({ tenant, known: { saved, domains, template }, allowed, again }: { tenant: string; known: Known; allowed: Allowed; again(): void }) {
  const { form, set, changed } = useForm({
    domain: saved?.domain_uuid ?? (domains.length === 1 ? domains[0].uuid : ''),
    entityId: saved?.entity_id ?? '',
    acsUrl: saved?.acs_url ?? template,
  });
  const [metadata, setMetadata] = useState<File | null>(null);
  const [outdated, setOutdated] = useState(false);
  const among = domains.map((domain): [string, string] => [domain.uuid, domain.name]);
  if (saved && !domains.some((domain) => domain.uuid === saved.domain_uuid)) among.push([saved.domain_uuid, saved.domain_uuid]);
  const save = async () => {
    if (JSON.stringify(await current(tenant)) !== JSON.stringify(saved)) return setOutdated(true);
    const body = new FormData();
    body.append('domain_uuid', form.domain);
    body.append('entity_id', form.entityId);
    body.append('acs_url', form.acsUrl);
    if (metadata) body.append('metadata', metadata);
    await call(saved ? 'PUT' : 'POST', PATH, { tenant, body });
    tell(t('The identity provider was saved.'));
    again();
  };
  const complete = form.domain && form.entityId && form.acsUrl && (saved || metadata);
  const ready = saved ? changed || metadata !== null : true;
  return (
    <>
      <Part title={t('Identity provider')} aside={saved && (
        <div class="buttons">
          <Act label={t('Our metadata')} act={() => download(`${PATH}/sp_metadata`, 'wazo-metadata.xml', { tenant })} />
          <Act label={t('Metadata of the provider')} act={() => download(`${PATH}/metadata`, 'idp-metadata.xml', { tenant })} />
        </div>
      )}>
        {!saved && <p class="notice">{among.length ? t('This tenant has no identity provider yet.') : t('This tenant has no domain. Logins by SAML need one: the tenant’s screen has them.')}</p>}
        <div class="grid">
          <Choice name="domain" label={t('Domain')} value={form.domain} choose={(domain) => set({ domain })} among={[['', '–'], ...among]}
            hint={t('What users say before they log in, to say which provider it is.')} />
          <Field name="entity_id" label={t('Our entity id')} value={form.entityId} onText={(entityId) => set({ entityId })} required
            hint={t('The name under which the provider knows this server. The audience of its responses must be the same.')} />
          <Field name="acs_url" label={t('ACS URL')} value={form.acsUrl} onText={(acsUrl) => set({ acsUrl })} required
            hint={t('Where browsers bring the responses: this server’s address as browsers see it, with /api/auth/0.1/saml/acs at its end: {template}', { template })} />
          <Upload name="metadata" label={t('Metadata of the provider (XML)')} accept=".xml,text/xml,application/xml" take={setMetadata}
            hint={saved ? t('Without a file the saved metadata stays.') : t('The file that the provider offers: where it is, and with which keys it signs.')} />
        </div>
        {outdated && <Outdated again={again} />}
        <div class="buttons">
          {allowed[`${OWN}.${saved ? 'update' : 'create'}`] && <Act label={t('Save')} main disabled={!complete || !ready} act={save} />}
          {saved && allowed[`${OWN}.delete`] && (
            <Act label={t('Delete')} danger ask={t('Delete this configuration? Whoever logs in by it can’t any more. This can’t be undone.')} done={t('The identity provider was deleted.')}
              act={async () => {
                await call('DELETE', PATH, { tenant });
                again();
              }} />
          )}
        </div>
      </Part>
      {allowed[`${OWN}.try`] && (
        <Try tenant={tenant} saved={saved !== null} complete={Boolean(form.entityId && form.acsUrl && (saved || metadata))}
          config={!saved || changed || metadata ? async () => ({
            entity_id: form.entityId, acs_url: form.acsUrl, ...(metadata ? { metadata: await metadata.text() } : {}),
          }) : undefined} />
      )}
    </>
  );
}

// Nothing is sent to anybody, so what is saved is shown without being asked for.
function Try({ tenant, saved, complete, config }: { tenant: string; saved: boolean; complete: boolean; config?: () => Promise<object> }) {
  const [tried, setTried] = useState<Tried | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const attempt = async (of?: () => Promise<object>) => {
    setTried(await call<Tried>('POST', `${PATH}/try`, { tenant, body: of ? { config: await of() } : {} }));
  };
  useEffect(() => {
    if (saved) attempt().catch(setFailure);
  }, []);
  return (
    <Part title={t('What a login would do')}>
      <p class="quiet">{config ? t('It tries what stands above, and saves nothing.') : t('It tries what is saved, and changes nothing.')}{' '}{t('Nothing is sent to the provider.')}</p>
      {failure !== null && <p class="notice bad" role="alert">{sentence(failure)}</p>}
      <div class="buttons"><Act label={t('Try it')} disabled={!complete} act={async () => {
        setFailure(null);
        await attempt(config);
      }} /></div>
      <Steps tried={tried} />
    </Part>
  );
}
