// Every text of the page, in French; in English it is the key itself. Names of the API's own (kinds, actions) stay as they are.
const french = {
  'A mail goes to the user, if there is a confirmed address.': 'Un courriel part à l’utilisateur, s’il a une adresse confirmée.',
  'Access': 'Droit',
  'Account': 'Compte',
  'Action': 'Action',
  'Actions': 'Actions',
  'Address': 'Adresse',
  'Addresses': 'Adresses',
  'All is well.': 'Tout va bien.',
  'All users': 'Tous les utilisateurs',
  'API': 'API',
  'As a daemon asks for it: calld.calls.42.read': 'Tel qu’un démon le demande : calld.calls.42.read',
  'Audit log': 'Journal d’audit',
  'By whom': 'Par qui',
  'Cancel': 'Annuler',
  'Client': 'Client',
  'Close': 'Fermer',
  'Database': 'Base de données',
  'Disable': 'Désactiver',
  'Disable this user? All sessions of it end at once, and it can’t log in.': 'Désactiver cet utilisateur ? Toutes ses sessions prennent fin aussitôt, et il ne peut plus se connecter.',
  'Earlier': 'Plus ancien',
  'Enable': 'Activer',
  'End': 'Terminer',
  'End all': 'Tout terminer',
  'End all {count} sessions of this user?': 'Terminer les {count} sessions de cet utilisateur ?',
  'End this session? Whoever uses it has to log in again.': 'Terminer cette session ? La personne qui l’utilise devra se reconnecter.',
  'Events and mails that wait': 'Événements et courriels en attente',
  'Explain': 'Expliquer',
  'From': 'Depuis',
  'Group {name}': 'Groupe {name}',
  'Groups, policies and accesses': 'Groupes, politiques et droits',
  'Has this user an access?': 'Cet utilisateur a-t-il un droit ?',
  'Health of this server': 'État de ce serveur',
  'It can’t do its work.': 'Il ne peut pas faire son travail.',
  'It does its work, and something is missing.': 'Il fait son travail, mais il manque quelque chose.',
  'Kind': 'Type',
  'Language': 'Langue',
  'Later': 'Plus récent',
  'Loading …': 'Chargement …',
  'Lock': 'Verrouiller',
  'Lock this user? All sessions of it end at once, and it can’t log in until the lock ends.': 'Verrouiller cet utilisateur ? Toutes ses sessions prennent fin aussitôt, et il ne peut plus se connecter jusqu’à la fin du verrou.',
  'Locks': 'Verrous',
  'Log in': 'Connexion',
  'Log out': 'Déconnexion',
  'Logging in …': 'Connexion en cours …',
  'Logs in by': 'Méthode de connexion',
  'Mail server': 'Serveur de courriel',
  'Master tenant': 'Tenant principal',
  'Message broker': 'Courtier de messages',
  'Name': 'Nom',
  'Neither a group nor a policy.': 'Ni groupe ni politique.',
  'Next': 'Suivant',
  'No entries.': 'Aucune entrée.',
  'No policies.': 'Aucune politique.',
  'No refresh tokens.': 'Aucun jeton de renouvellement.',
  'No sessions.': 'Aucune session.',
  'Nobody is found.': 'Personne n’a été trouvé.',
  'Not locked.': 'Non verrouillé.',
  'Nothing here.': 'Rien ici.',
  'Notifications of revocations': 'Notifications des révocations',
  'Of what': 'De quoi',
  'Overview': 'Vue d’ensemble',
  'Pages': 'Pages',
  'Password': 'Mot de passe',
  'Policies of the user': 'Politiques de l’utilisateur',
  'Previous': 'Précédent',
  'Purpose': 'Usage',
  'Reason': 'Raison',
  'Redis': 'Redis',
  'Refresh': 'Actualiser',
  'Refresh tokens': 'Jetons de renouvellement',
  'Remove': 'Supprimer',
  'Remove this refresh token? Its client has to log in with a password when its session ends.': 'Supprimer ce jeton de renouvellement ? Son client devra se connecter avec un mot de passe à la fin de sa session.',
  'Screens': 'Écrans',
  'Search by name or address': 'Chercher par nom ou adresse',
  'Send a mail to reset the password': 'Envoyer un courriel de réinitialisation du mot de passe',
  'Session': 'Session',
  'Sessions': 'Sessions',
  'Since': 'Depuis le',
  'Skip to the content': 'Aller au contenu',
  'State': 'État',
  'Tenant': 'Tenant',
  'The lock was removed.': 'Le verrou a été supprimé.',
  'The refresh token was removed.': 'Le jeton de renouvellement a été supprimé.',
  'The server answered {status}.': 'Le serveur a répondu {status}.',
  'The server can’t be reached. Trying again …': 'Le serveur est injoignable. Nouvel essai …',
  'The server is not well: {why}': 'Le serveur ne va pas bien : {why}',
  'The session was ended.': 'La session est terminée.',
  'The sessions were ended.': 'Les sessions sont terminées.',
  'The user was disabled.': 'L’utilisateur est désactivé.',
  'The user was enabled.': 'L’utilisateur est activé.',
  'The user was locked.': 'L’utilisateur est verrouillé.',
  'There is no such screen.': 'Cet écran n’existe pas.',
  'There is no such thing, or it isn’t yours to see.': 'Cela n’existe pas, ou vous n’y avez pas accès.',
  'Too many attempts or sessions. Wait a moment and try again.': 'Trop de tentatives ou de sessions. Attendez un moment et réessayez.',
  'UUID of what was changed': 'UUID de ce qui a changé',
  'Unlock': 'Déverrouiller',
  'Until': 'Jusqu’au',
  'Until (empty: until it is removed)': 'Jusqu’au (vide : jusqu’à sa suppression)',
  'User': 'Utilisateur',
  'Username': 'Nom d’utilisateur',
  'Username or address': 'Nom d’utilisateur ou adresse',
  'Users': 'Utilisateurs',
  'What': 'Quoi',
  'What changed': 'Ce qui a changé',
  'What changed lately': 'Changements récents',
  'What would have to change': 'Ce qu’il faudrait changer',
  'When': 'Quand',
  'Wrong name or password, or this account may not log in.': 'Nom ou mot de passe incorrect, ou ce compte ne peut pas se connecter.',
  'You have logged out.': 'Vous êtes déconnecté.',
  'You may not do this.': 'Vous n’avez pas le droit de faire cela.',
  'You may not see this.': 'Vous n’avez pas le droit de voir cela.',
  'Your session has expired.': 'Votre session a expiré.',
  'Your session was ended by somebody else, or by a lock. Nothing that you had not saved was stored.': 'Votre session a été terminée par quelqu’un d’autre, ou par un verrou. Rien de ce que vous n’aviez pas enregistré n’a été conservé.',
  'all': 'tous',
  'allowed': 'autorisé',
  'disabled': 'désactivé',
  'enabled': 'activé',
  'fails': 'en panne',
  'fine': 'bon',
  'last heard {ms} ms ago': 'dernier signe il y a {ms} ms',
  'locked': 'verrouillé',
  'main': 'principale',
  'mobile': 'mobile',
  'not allowed': 'non autorisé',
  'not confirmed': 'non confirmée',
  'not known yet': 'encore inconnu',
  'this one': 'celle-ci',
  'until': 'jusqu’au',
  'without a name': 'sans nom',
  '{count} accesses': '{count} droits',
  '{found} of {total}': '{found} sur {total}',
  '{from} to {to} of {total}': '{from} à {to} sur {total}',
  '{target}: {count}, the oldest for {seconds} s': '{target} : {count}, le plus ancien depuis {seconds} s',
} as const;

export type Text = keyof typeof french;
export type Language = 'en' | 'fr';
export const languages: Record<Language, string> = { en: 'English', fr: 'Français' };

const KEPT = 'wazo-auth-ui.language';

// What the visitor chose here before, else what the browser asks for.
function first(): Language {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // a browser that keeps nothing
  }
  for (const tag of [kept ?? '', ...navigator.languages]) {
    const short = tag.slice(0, 2).toLowerCase();
    if (short === 'en' || short === 'fr') return short;
  }
  return 'en';
}

let chosen = first();

export function language(): Language {
  return chosen;
}

export function setLanguage(to: Language): void {
  chosen = to;
  document.documentElement.lang = to;
  try {
    localStorage.setItem(KEPT, to);
  } catch {
    // then it holds as long as the page
  }
  dispatchEvent(new Event('languagechosen'));
}

// {name} in a text stands for the value of that name.
export function t(text: Text, values: Record<string, string | number> = {}): string {
  const words: string = chosen === 'fr' ? french[text] : text;
  return words.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
