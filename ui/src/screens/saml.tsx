// A tenant's identity provider: its configuration, our metadata for it, and what a login would do.
import { Fragment, h } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call, Failure, may, type Tried } from '../api';
import { Act, Choice, Field, Part, sentence, State, tell, useAsked, useMay, type Allowed } from '../kit';
import { t } from '../texts';
import { DeleteConfiguration, download, Outdated, Upload, useForm } from './forms';
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
    tell(t('The configuration was saved.'));
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
        {!saved && <p class="notice">{among.length ? t('This tenant has no identity provider yet.') : t('This tenant has no domain. SAML logins need one: add it on the tenant’s screen.')}</p>}
        <div class="grid">
          <Choice name="domain" label={t('Domain')} value={form.domain} choose={(domain) => set({ domain })} among={[['', '–'], ...among]}
            hint={t('What users enter before they log in, to find their provider.')} />
          <Field name="entity_id" label={t('Our entity ID')} value={form.entityId} onText={(entityId) => set({ entityId })} required
            hint={t('The name by which the provider knows this server. It must be the audience of its responses.')} />
          <Field name="acs_url" label={t('ACS URL')} value={form.acsUrl} onText={(acsUrl) => set({ acsUrl })} required
            hint={t('Where browsers take the responses: this server’s address as they see it, ending in /api/auth/0.1/saml/acs, such as {template}', { template })} />
          <Upload name="metadata" label={t('Metadata of the provider (XML)')} accept=".xml,text/xml,application/xml" take={setMetadata}
            hint={saved ? t('Without a file the saved metadata stays.') : t('The file that the provider offers: its addresses and the keys it signs with.')} />
        </div>
        {outdated && <Outdated again={again} />}
        <div class="buttons">
          {allowed[`${OWN}.${saved ? 'update' : 'create'}`] && <Act label={t('Save')} main disabled={!complete || !ready} act={save} />}
          {saved && allowed[`${OWN}.delete`] && (
            <DeleteConfiguration path={PATH} tenant={tenant} ask={t('Delete this configuration? Whoever logs in with it no longer can. This can’t be undone.')} again={again} />
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
      <p class="quiet">{config ? t('This tries what is entered above and saves nothing.') : t('This tries what is saved and changes nothing.')}{' '}{t('Nothing is sent to the provider.')}</p>
      {failure !== null && <p class="notice bad" role="alert">{sentence(failure)}</p>}
      <div class="buttons"><Act label={t('Try it')} disabled={!complete} act={async () => {
        setFailure(null);
        await attempt(config);
      }} /></div>
      <Steps tried={tried} />
    </Part>
  );
}
