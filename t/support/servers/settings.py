"""wazo-auth's configuration."""
import json
from pathlib import Path

from .paths import CHECKOUT


def write_settings(folder, settings, drop_ins=None):
    """wazo-auth's configuration below `folder` (config.yml, conf.d/NAME.yml); JSON is YAML. Returns the main file.

    Mail templates are the shipped ones unless the settings say something else.
    """
    conf_d = Path(folder) / 'conf.d'
    conf_d.mkdir(parents=True, exist_ok=True)
    main = Path(folder) / 'config.yml'
    for path, tree in [
        (main, {'extra_config_files': str(conf_d), **template_settings(), **settings}),
        *((conf_d / f'{name}.yml', tree) for name, tree in (drop_ins or {}).items()),
    ]:
        path.touch(mode=0o600)
        path.write_text(json.dumps(tree, indent=2) + '\n')
    return main


def template_settings(folder=CHECKOUT / 'conf/templates'):
    """Settings that name the templates as they are shipped: installed ones may be missing, and nginx says so."""
    return {
        'email_confirmation_template': f'{folder}/email_confirmation.jinja',
        'email_confirmation_subject_template': f'{folder}/email_confirmation_subject.jinja',
        'email_confirmation_get_response_body_template': f'{folder}/email_confirmation_get_body.jinja',
        'password_reset_email_template': f'{folder}/password_reset_email.jinja',
        'password_reset_email_subject_template': f'{folder}/password_reset_email_subject.jinja',
    }
