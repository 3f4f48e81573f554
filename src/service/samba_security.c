/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How safe the talk between clients and server is, as the configuration has it: one word each for what Samba can say in
 * many, and a warning for what is kept for old clients only. */
#include <string.h>
#include <strings.h>

#include "psv/conf.h"
#include "service/samba.h"

struct word {
	const char *said, *means;
};

/* The words that smb.conf(5) takes; a last row without one is for all others. */
static const struct word signing_words[] = {
	{ "required", "required" }, { "mandatory", "required" }, { "force", "required" }, { "forced", "required" },
	{ "enforced", "required" }, { "disabled", "off" },       { "no", "off" },         { "false", "off" },
	{ "off", "off" },           { "0", "off" },              { NULL, "offered" },
};
static const struct word encryption_words[] = {
	{ "required", "required" }, { "mandatory", "required" }, { "force", "required" }, { "forced", "required" },
	{ "enforced", "required" }, { "desired", "desired" },    { "disabled", "off" },   { "no", "off" },
	{ "false", "off" },         { "off", "off" },            { "0", "off" },          { NULL, "offered" },
};
static const struct word ntlm_words[] = {
	{ "disabled", "off" }, { "ntlmv1-permitted", "NTLMv1" }, { "yes", "NTLMv1" }, { "true", "NTLMv1" },
	{ "on", "NTLMv1" },    { "1", "NTLMv1" },                { NULL, "NTLMv2" },
};
static const struct word yes_words[] = {
	{ "yes", "yes" }, { "true", "yes" }, { "on", "yes" }, { "1", "yes" }, { NULL, "no" },
};

static const char *meaning(const struct word *w, const char *said)
{
	while (w->said && (!said || strcasecmp(said, w->said) != 0))
		w++;
	return w->means;
}

static const char *min_protocol(const struct conf *conf)
{
	const char *said = samba_param(conf, (const char *const[]){ "server min protocol", "min protocol", NULL });

	return said && strcasecmp(said, "default") != 0 ? said : "SMB2_02";
}

void samba_security(const struct conf *conf, struct samba_security *ret)
{
	static const char *const ntlm[] = { "ntlm auth", NULL }, *const signing[] = { "server signing", NULL },
				 *const encryption[] = { "server smb encrypt", "smb encrypt", NULL };

	*ret = (struct samba_security){
		.min_protocol = min_protocol(conf),
		.ntlm = meaning(ntlm_words, samba_param(conf, ntlm)),
		.signing = meaning(signing_words, samba_param(conf, signing)),
		.encryption = meaning(encryption_words, samba_param(conf, encryption)),
	};
}

void samba_security_warnings(const struct conf *conf, struct strlist *ret)
{
	static const char *const lanman[] = { "lanman auth", NULL };
	struct samba_security s;

	samba_security(conf, &s);
	if (strncasecmp(s.min_protocol, "SMB2", 4) != 0 && strncasecmp(s.min_protocol, "SMB3", 4) != 0)
		strlist_addf(ret, "SMB1 is allowed by [smb] server min protocol = %s: anybody on the way can read and change it",
			     s.min_protocol);
	if (strcmp(s.ntlm, "NTLMv1") == 0)
		strlist_add(ret, "NTLMv1 is allowed by [smb] ntlm auth: who overhears a login can find its password");
	if (strcmp(meaning(yes_words, samba_param(conf, lanman)), "yes") == 0)
		strlist_add(ret, "LANMAN passwords are allowed by [smb] lanman auth: who overhears a login can find its password");
}
