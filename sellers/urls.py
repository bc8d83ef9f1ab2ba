"""Addresses of the sellers app: log-in and passwords, what stands outside of any seller, and a seller's own pages."""

from django.contrib.auth import views as auth_views
from django.urls import include, path

from sellers import views

of_a_seller = [
    path("connection/", views.connection, name="connection"),
    path("connection/keys/", views.keys, name="keys"),
    path("connection/disconnect/", views.disconnect, name="disconnect"),
    path("connect/", views.connect, name="connect"),
    path("facilities/", views.facility_list, name="facilities"),
    path("facilities/<uuid:public_id>/", views.facility, name="facility"),
    path("members/", views.member_list, name="members"),
    path("members/invite/", views.invite, name="invite"),
    path("members/add/", views.add_person, name="add_person"),
    path("members/<str:username>/role/", views.change_role, name="change_role"),
    path("members/<str:username>/remove/", views.remove_member, name="remove_member"),
    path("members/<str:username>/password/", views.new_password, name="new_password"),
    path("members/<str:username>/facilities/", views.member_facilities, name="member_facilities"),
    path("invitations/<uuid:public_id>/withdraw/", views.withdraw_invitation, name="withdraw_invitation"),
]

urlpatterns = [
    path("login/", views.LoginView.as_view(), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("password/", views.PasswordChangeView.as_view(), name="password_change"),
    path("password/forgotten/", views.PasswordResetView.as_view(), name="password_reset"),
    path("password/forgotten/sent/", auth_views.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path(
        "password/forgotten/<uidb64>/<token>/", views.PasswordResetConfirmView.as_view(), name="password_reset_confirm"
    ),
    path("invitation/<str:secret>/", views.invitation, name="invitation"),
    path("auth/flipkart/callback", views.flipkart_callback, name="flipkart_callback"),
    path("s/<slug:slug>/", include((of_a_seller, "sellers"))),
]
