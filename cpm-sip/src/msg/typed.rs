//! The typed accessors of a message, one line each. A list walks comma lists and repeated fields alike.

macro_rules! typed {
    ($type:ident, [$($lifetime:lifetime)?]) => {
        /// Values decoded on request. Errors name the field and the octet of the message.
        ///
        /// # Errors
        /// A value that does not fit its grammar; for a field that must be there, its absence.
        impl $type$(<$lifetime>)? {
            /// The first Via value.
            pub fn via_top(&self) -> Result<Via<'_>, ParseError> {
                let part = self.parts(HeaderId::Via).next();
                let part = part.ok_or_else(|| ParseError::new(ParseKind::Missing(HeaderId::Via), 0))?;
                part.first().map_err(|error| error.in_field(HeaderId::Via, usize::from(part.at)))
            }

            /// All Via values, the top one first.
            pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, ParseError>> {
                self.list(HeaderId::Via)
            }

            /// From.
            pub fn from(&self) -> Result<NameAddr<'_>, ParseError> {
                self.must(HeaderId::From)
            }

            /// To.
            pub fn to(&self) -> Result<NameAddr<'_>, ParseError> {
                self.must(HeaderId::To)
            }

            /// Call-ID.
            pub fn call_id(&self) -> Result<&str, ParseError> {
                self.must::<CallId<'_>>(HeaderId::CallId).map(|id| id.0)
            }

            /// CSeq.
            pub fn cseq(&self) -> Result<CSeq<'_>, ParseError> {
                self.must(HeaderId::CSeq)
            }

            /// All Contact values.
            pub fn contacts(&self) -> impl Iterator<Item = Result<Contact<'_>, ParseError>> {
                self.list(HeaderId::Contact)
            }

            /// All Route values, the next hop first.
            pub fn routes(&self) -> impl Iterator<Item = Result<Route<'_>, ParseError>> {
                self.list(HeaderId::Route)
            }

            /// All Record-Route values in the order of the message.
            pub fn record_routes(&self) -> impl Iterator<Item = Result<Route<'_>, ParseError>> {
                self.list(HeaderId::RecordRoute)
            }

            /// All Path values (RFC 3327).
            pub fn paths(&self) -> impl Iterator<Item = Result<Route<'_>, ParseError>> {
                self.list(HeaderId::Path)
            }

            /// All Service-Route values (RFC 3608).
            pub fn service_routes(&self) -> impl Iterator<Item = Result<Route<'_>, ParseError>> {
                self.list(HeaderId::ServiceRoute)
            }

            /// All History-Info values (RFC 7044).
            pub fn history_info(&self) -> impl Iterator<Item = Result<NameAddr<'_>, ParseError>> {
                self.list(HeaderId::HistoryInfo).map(|value| value.map(|entry: Asserted<'_>| entry.0))
            }

            /// Max-Forwards.
            pub fn max_forwards(&self) -> Result<Option<u8>, ParseError> {
                Ok(self.one::<MaxForwards>(HeaderId::MaxForwards)?.map(|hops| hops.0))
            }

            /// Expires, seconds.
            pub fn expires(&self) -> Result<Option<u32>, ParseError> {
                Ok(self.one::<DeltaSeconds>(HeaderId::Expires)?.map(|seconds| seconds.0))
            }

            /// Min-Expires, seconds.
            pub fn min_expires(&self) -> Result<Option<u32>, ParseError> {
                Ok(self.one::<DeltaSeconds>(HeaderId::MinExpires)?.map(|seconds| seconds.0))
            }

            /// Content-Length.
            pub fn content_length(&self) -> Option<u64> {
                self.header(HeaderId::ContentLength).and_then(|text| crate::lex::content_length(text.as_bytes()).ok())
            }

            /// Content-Type.
            pub fn content_type(&self) -> Result<Option<MediaType<'_>>, ParseError> {
                self.one(HeaderId::ContentType)
            }

            /// Content-Disposition.
            pub fn content_disposition(&self) -> Result<Option<Disposition<'_>>, ParseError> {
                self.one(HeaderId::ContentDisposition)
            }

            /// The content codings, in the order they were applied.
            pub fn content_encodings(&self) -> impl Iterator<Item = Result<Token<'_>, ParseError>> {
                self.list(HeaderId::ContentEncoding)
            }

            /// Accept.
            pub fn accept(&self) -> impl Iterator<Item = Result<MediaRange<'_>, ParseError>> {
                self.list(HeaderId::Accept)
            }

            /// Accept-Encoding.
            pub fn accept_encodings(&self) -> impl Iterator<Item = Result<CodingRange<'_>, ParseError>> {
                self.list(HeaderId::AcceptEncoding)
            }

            /// Allow.
            pub fn allow(&self) -> impl Iterator<Item = Result<Token<'_>, ParseError>> {
                self.list(HeaderId::Allow)
            }

            /// Supported.
            pub fn supported(&self) -> impl Iterator<Item = Result<Token<'_>, ParseError>> {
                self.list(HeaderId::Supported)
            }

            /// Require.
            pub fn require(&self) -> impl Iterator<Item = Result<Token<'_>, ParseError>> {
                self.list(HeaderId::Require)
            }

            /// Proxy-Require.
            pub fn proxy_require(&self) -> impl Iterator<Item = Result<Token<'_>, ParseError>> {
                self.list(HeaderId::ProxyRequire)
            }

            /// Unsupported.
            pub fn unsupported(&self) -> impl Iterator<Item = Result<Token<'_>, ParseError>> {
                self.list(HeaderId::Unsupported)
            }

            /// WWW-Authenticate, one challenge a field.
            pub fn www_authenticate(&self) -> impl Iterator<Item = Result<Challenge<'_>, ParseError>> {
                self.each(HeaderId::WwwAuthenticate)
            }

            /// Proxy-Authenticate, one challenge a field.
            pub fn proxy_authenticate(&self) -> impl Iterator<Item = Result<Challenge<'_>, ParseError>> {
                self.each(HeaderId::ProxyAuthenticate)
            }

            /// Authorization, one set of credentials a field.
            pub fn authorization(&self) -> impl Iterator<Item = Result<Credentials<'_>, ParseError>> {
                self.each(HeaderId::Authorization)
            }

            /// Proxy-Authorization, one set of credentials a field.
            pub fn proxy_authorization(&self) -> impl Iterator<Item = Result<Credentials<'_>, ParseError>> {
                self.each(HeaderId::ProxyAuthorization)
            }

            /// Accept-Contact; several are all asked for (CONV-TAG-011).
            pub fn accept_contacts(&self) -> impl Iterator<Item = Result<AcceptContact<'_>, ParseError>> {
                self.list(HeaderId::AcceptContact)
            }

            /// P-Asserted-Identity (RFC 3325 §9.1).
            pub fn p_asserted_identities(&self) -> impl Iterator<Item = Result<NameAddr<'_>, ParseError>> {
                self.list(HeaderId::PAssertedIdentity).map(|value| value.map(|asserted: Asserted<'_>| asserted.0))
            }

            /// P-Preferred-Identity (RFC 3325 §9.2).
            pub fn p_preferred_identities(&self) -> impl Iterator<Item = Result<NameAddr<'_>, ParseError>> {
                self.list(HeaderId::PPreferredIdentity).map(|value| value.map(|asserted: Asserted<'_>| asserted.0))
            }

            /// P-Associated-URI (RFC 7315 §4.1).
            pub fn p_associated_uris(&self) -> impl Iterator<Item = Result<NameAddr<'_>, ParseError>> {
                self.list(HeaderId::PAssociatedUri).map(|value| value.map(|asserted: Asserted<'_>| asserted.0))
            }

            /// P-Asserted-Service (RFC 6050 §4.1).
            pub fn p_asserted_services(&self) -> impl Iterator<Item = Result<ServiceId<'_>, ParseError>> {
                self.list(HeaderId::PAssertedService)
            }

            /// P-Preferred-Service (RFC 6050 §4.2).
            pub fn p_preferred_services(&self) -> impl Iterator<Item = Result<ServiceId<'_>, ParseError>> {
                self.list(HeaderId::PPreferredService)
            }

            /// Conversation-ID.
            pub fn conversation_id(&self) -> Result<Option<&str>, ParseError> {
                Ok(self.one::<CpmId<'_>>(HeaderId::ConversationId)?.map(|id| id.0))
            }

            /// Contribution-ID.
            pub fn contribution_id(&self) -> Result<Option<&str>, ParseError> {
                Ok(self.one::<CpmId<'_>>(HeaderId::ContributionId)?.map(|id| id.0))
            }

            /// InReplyTo-Contribution-ID.
            pub fn in_reply_to_contribution_id(&self) -> Result<Option<&str>, ParseError> {
                Ok(self.one::<CpmId<'_>>(HeaderId::InReplyToContributionId)?.map(|id| id.0))
            }

            /// Message-Expires.
            pub fn message_expires(&self) -> Result<Option<MessageExpires>, ParseError> {
                self.one(HeaderId::MessageExpires)
            }

            /// Date.
            pub fn date(&self) -> Result<Option<Date>, ParseError> {
                self.one(HeaderId::Date)
            }

            /// Warning.
            pub fn warnings(&self) -> impl Iterator<Item = Result<Warning<'_>, ParseError>> {
                self.list(HeaderId::Warning)
            }

            /// Retry-After.
            pub fn retry_after(&self) -> Result<Option<RetryAfter<'_>>, ParseError> {
                self.one(HeaderId::RetryAfter)
            }

            /// The tokens of Privacy (RFC 3323 §4.2).
            pub fn privacy(&self) -> Result<impl Iterator<Item = &str>, ParseError> {
                let value = self.one::<PrivacyValue<'_>>(HeaderId::Privacy)?;
                Ok(PrivacyValue::tokens(value.map_or("", |value| value.0)))
            }

            /// Subject.
            pub fn subject(&self) -> Option<&str> {
                self.header(HeaderId::Subject)
            }

            /// User-Agent.
            pub fn user_agent(&self) -> Option<&str> {
                self.header(HeaderId::UserAgent)
            }

            /// Server.
            pub fn server(&self) -> Option<&str> {
                self.header(HeaderId::Server)
            }
        }
    };
}

pub(super) use typed;
